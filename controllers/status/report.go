package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
)

// maxFindings bounds how many findings the message of one condition names. There is
// room for one of each reason that a condition may have.
const maxFindings = 8

// Finding is one thing that is known about one condition.
type Finding struct {
	// Condition is the condition's type.
	Condition string
	Status    metav1.ConditionStatus
	Reason    v1alpha1.Reason
	// Message says what is wrong and what to do, or what is well.
	Message string
}

// True is the finding that a condition holds, with words of its own. The reason
// of a condition that holds is its type.
func True(condition, format string, args ...any) Finding {
	return Finding{condition, metav1.ConditionTrue, v1alpha1.Reason(condition), fmt.Sprintf(format, args...)}
}

// False is the finding that a condition does not hold.
func False(condition string, reason v1alpha1.Reason, format string, args ...any) Finding {
	return Finding{condition, metav1.ConditionFalse, reason, fmt.Sprintf(format, args...)}
}

// Unknown is the finding that nobody can say whether a condition holds.
func Unknown(condition string, reason v1alpha1.Reason, format string, args ...any) Finding {
	return Finding{condition, metav1.ConditionUnknown, reason, fmt.Sprintf(format, args...)}
}

// holds reports whether Ready may be True beside the finding. A server that runs
// elsewhere is as ready as it can be, though nobody here can say whether it is
// protected.
func (f Finding) holds() bool {
	return f.Status == metav1.ConditionTrue || f.Reason == v1alpha1.ReasonUnmanaged
}

// Report gathers what is known about one object. It is made by NewReport and
// used by one goroutine.
type Report struct {
	types    []string
	findings []Finding
}

// NewReport makes a report over the condition types that its writer owns, Ready
// not among them, in the order of their weight for Ready.
func NewReport(types ...string) *Report { return &Report{types: types} }

// Problems adds what the compiler says of the object.
func (r *Report) Problems(problems []compiler.Problem) {
	for _, p := range problems {
		r.Add(False(p.Condition, p.Reason, "%s", p.Message))
	}
}

// Add adds a finding. One about Ready holds the object back although all its
// other conditions are well.
func (r *Report) Add(f Finding) { r.findings = append(r.findings, f) }

// Well reports whether nothing was found against the condition so far.
func (r *Report) Well(condition string) bool {
	return !slices.ContainsFunc(r.findings, func(f Finding) bool {
		return f.Condition == condition && f.Status != metav1.ConditionTrue
	})
}

// Write brings the owned conditions and Ready up to date and leaves those of
// others alone. now is when a condition that flips is said to have flipped.
func (r *Report) Write(conditions *[]metav1.Condition, generation int64, now time.Time) {
	ready := True(v1alpha1.ConditionReady, "%s", "everything above holds")
	failing := false
	for _, condition := range r.types {
		f := r.sum(condition)
		set(conditions, f, generation, now)
		if !f.holds() && (!failing || outweighs(f, ready)) {
			ready, failing = Finding{v1alpha1.ConditionReady, f.Status, f.Reason, f.Message}, true
		}
	}
	if held := r.sum(v1alpha1.ConditionReady); !failing && held.Status != metav1.ConditionTrue {
		ready = held
	}
	set(conditions, ready, generation, now)
}

// outweighs reports whether f says more about an object than what an earlier
// condition said: that something is wrong, where that one did not know.
func outweighs(f, earlier Finding) bool {
	return f.Status == metav1.ConditionFalse && earlier.Status == metav1.ConditionUnknown
}

// sum makes one finding of all those about a condition: the first of the worst
// status gives the reason, and all of that status speak.
func (r *Report) sum(condition string) Finding {
	sum := True(condition, "%s", holding(condition))
	if condition == v1alpha1.ConditionProtected && !r.found(condition) {
		// Nobody has looked, which must not pass for protection.
		sum = Unknown(condition, v1alpha1.ReasonPending, "it could not be found out yet")
	}
	var messages []string
	for _, f := range r.findings {
		switch {
		case f.Condition != condition || severity(f) < severity(sum):
		case severity(f) > severity(sum) || len(messages) == 0:
			sum, messages = f, []string{f.Message}
		case !slices.Contains(messages, f.Message):
			messages = append(messages, f.Message)
		}
	}
	if more := len(messages) - maxFindings; more > 0 {
		messages = append(messages[:maxFindings], fmt.Sprintf("and %d more", more))
	}
	sum.Message = cmp.Or(strings.Join(messages, "; "), sum.Message)
	return sum
}

func (r *Report) found(condition string) bool {
	return slices.ContainsFunc(r.findings, func(f Finding) bool { return f.Condition == condition })
}

func severity(f Finding) int {
	switch f.Status {
	case metav1.ConditionTrue:
		return 0
	case metav1.ConditionUnknown:
		return 1
	default:
		return 2
	}
}

// holding is what a condition says when it holds and nobody has found words.
func holding(condition string) string {
	switch condition {
	case v1alpha1.ConditionAccepted:
		return "the object makes sense and is served"
	case v1alpha1.ConditionResolvedRefs:
		return "everything that it refers to exists and may be referred to"
	case v1alpha1.ConditionProgrammed:
		return "everything that had to be written for it is written"
	default:
		return ""
	}
}

func set(conditions *[]metav1.Condition, f Finding, generation int64, now time.Time) {
	meta.SetStatusCondition(conditions, metav1.Condition{
		Type:               f.Condition,
		Status:             f.Status,
		Reason:             string(f.Reason),
		Message:            truncate(f.Message),
		ObservedGeneration: generation,
		LastTransitionTime: metav1.NewTime(now.Truncate(time.Second)),
	})
}

// truncate keeps a message within what the schema of a condition allows.
func truncate(message string) string {
	const limit = 2048
	if len(message) <= limit {
		return message
	}
	return strings.ToValidUTF8(message[:limit], "") + "…"
}
