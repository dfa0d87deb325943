package status

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
)

const (
	accepted   = v1alpha1.ConditionAccepted
	programmed = v1alpha1.ConditionProgrammed
	protected  = v1alpha1.ConditionProtected
	ready      = v1alpha1.ConditionReady
)

func TestReportWritesConditions(t *testing.T) {
	tests := []struct {
		name     string
		findings []Finding
		want     map[string]string // type → "status reason message"
	}{
		{
			name:     "everything holds when nothing was found",
			findings: []Finding{True(protected, "all 2 pods run the sidecar")},
			want: map[string]string{
				accepted:   "True Accepted the object makes sense and is served",
				programmed: "True Programmed everything that had to be written for it is written",
				protected:  "True Protected all 2 pods run the sidecar",
				ready:      "True Ready everything above holds",
			},
		},
		{
			name: "what nobody has looked at is not protected",
			want: map[string]string{
				accepted:   "True Accepted the object makes sense and is served",
				programmed: "True Programmed everything that had to be written for it is written",
				protected:  "Unknown Pending it could not be found out yet",
				ready:      "Unknown Pending it could not be found out yet",
			},
		},
		{
			name: "the first condition that fails gives Ready its reason",
			findings: []Finding{
				False(protected, v1alpha1.ReasonNoWorkload, "no Deployment"),
				False(accepted, v1alpha1.ReasonConflict, "url taken"),
			},
			want: map[string]string{
				accepted:   "False Conflict url taken",
				programmed: "True Programmed everything that had to be written for it is written",
				protected:  "False NoWorkload no Deployment",
				ready:      "False Conflict url taken",
			},
		},
		{
			name: "what is wrong outweighs what is unknown",
			findings: []Finding{
				Unknown(programmed, v1alpha1.ReasonPending, "waits"),
				False(protected, v1alpha1.ReasonBypassed, "Service leads past"),
			},
			want: map[string]string{
				accepted:   "True Accepted the object makes sense and is served",
				programmed: "Unknown Pending waits",
				protected:  "False Bypassed Service leads past",
				ready:      "False Bypassed Service leads past",
			},
		},
		{
			name:     "a server that runs elsewhere is ready",
			findings: []Finding{Unknown(protected, v1alpha1.ReasonUnmanaged, "runs elsewhere")},
			want: map[string]string{
				accepted:   "True Accepted the object makes sense and is served",
				programmed: "True Programmed everything that had to be written for it is written",
				protected:  "Unknown Unmanaged runs elsewhere",
				ready:      "True Ready everything above holds",
			},
		},
		{
			name:     "a finding about Ready holds a well object back",
			findings: []Finding{True(protected, "ok"), False(ready, v1alpha1.ReasonNotReady, "server away")},
			want: map[string]string{
				accepted:   "True Accepted the object makes sense and is served",
				programmed: "True Programmed everything that had to be written for it is written",
				protected:  "True Protected ok",
				ready:      "False NotReady server away",
			},
		},
		{
			name: "all findings of the worst status speak, once each",
			findings: []Finding{
				True(protected, "one pod is well"),
				False(protected, v1alpha1.ReasonNotInjected, "pod a"),
				Unknown(protected, v1alpha1.ReasonPending, "pod c starts"),
				False(protected, v1alpha1.ReasonBypassed, "service b"),
				False(protected, v1alpha1.ReasonNotInjected, "pod a"),
			},
			want: map[string]string{
				accepted:   "True Accepted the object makes sense and is served",
				programmed: "True Programmed everything that had to be written for it is written",
				protected:  "False NotInjected pod a; service b",
				ready:      "False NotInjected pod a; service b",
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			report := NewReport(accepted, programmed, protected)
			for _, f := range test.findings {
				report.Add(f)
			}
			var conditions []metav1.Condition
			report.Write(&conditions, 7, time.Unix(1000, 0))
			got := make(map[string]string)
			for _, c := range conditions {
				got[c.Type] = fmt.Sprintf("%s %s %s", c.Status, c.Reason, c.Message)
				if c.ObservedGeneration != 7 {
					t.Errorf("condition %s is about generation %d, want 7", c.Type, c.ObservedGeneration)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("conditions differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReportKeepsTransitionTimesAndForeignConditions(t *testing.T) {
	before := time.Unix(1000, 0)
	conditions := []metav1.Condition{{Type: "example.com/Audited", Status: metav1.ConditionTrue, Reason: "Yes"}}
	NewReport(accepted).Write(&conditions, 1, before)
	first := append([]metav1.Condition(nil), conditions...)
	NewReport(accepted).Write(&conditions, 1, before.Add(time.Hour))
	if diff := cmp.Diff(first, conditions); diff != "" {
		t.Errorf("a second report that says the same changed something (-first +second):\n%s", diff)
	}
	if conditions[0].Type != "example.com/Audited" {
		t.Errorf("the first condition is %q; the one of another writer is gone", conditions[0].Type)
	}
	flipped := NewReport(accepted)
	flipped.Add(False(accepted, v1alpha1.ReasonInvalid, "no"))
	flipped.Write(&conditions, 2, before.Add(time.Hour))
	if got := conditions[1].LastTransitionTime.Time; !got.Equal(before.Add(time.Hour)) {
		t.Errorf("a condition that flipped says it did so at %v, want %v", got, before.Add(time.Hour))
	}
}

func TestReportBoundsMessages(t *testing.T) {
	report := NewReport(accepted)
	for i := range 300 {
		report.Problems([]compiler.Problem{{Condition: accepted, Reason: v1alpha1.ReasonInvalid, Message: fmt.Sprint(i, strings.Repeat("é", 1000))}})
	}
	var conditions []metav1.Condition
	report.Write(&conditions, 1, time.Unix(1, 0))
	if got := len(conditions[0].Message); got > 3000 {
		t.Errorf("the message has %d bytes; it must be bounded", got)
	}
	short := NewReport(accepted)
	for i := range 11 {
		short.Add(False(accepted, v1alpha1.ReasonInvalid, "wrong %d", i))
	}
	short.Write(&conditions, 1, time.Unix(1, 0))
	if want := "wrong 0; wrong 1; wrong 2; wrong 3; wrong 4; wrong 5; wrong 6; wrong 7; and 3 more"; conditions[0].Message != want {
		t.Errorf("message = %q, want %q", conditions[0].Message, want)
	}
}

func TestReportKnowsWhetherAConditionIsWellSoFar(t *testing.T) {
	report := NewReport(accepted, programmed)
	report.Add(True(accepted, "fine"))
	report.Add(False(programmed, v1alpha1.ReasonPending, "not yet"))
	if !report.Well(accepted) || report.Well(programmed) {
		t.Errorf("Well(Accepted) = %t, Well(Programmed) = %t; want true, false", report.Well(accepted), report.Well(programmed))
	}
}
