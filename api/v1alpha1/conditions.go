package v1alpha1

// Condition types. Ready sums the others up and is what kubectl wait, Flux and
// Argo CD look at.
const (
	// ConditionAccepted: the object makes sense by itself and beside its peers.
	ConditionAccepted = "Accepted"
	// ConditionResolvedRefs: everything that it refers to exists and may be
	// referred to.
	ConditionResolvedRefs = "ResolvedRefs"
	// ConditionProgrammed: what the operator had to write for it is written.
	ConditionProgrammed = "Programmed"
	// ConditionAvailable: the authorization server answers.
	ConditionAvailable = "Available"
	// ConditionProtected: every pod of the workload runs the validating sidecar.
	ConditionProtected = "Protected"
	// ConditionReady: all of the above hold.
	ConditionReady = "Ready"
)

// Reason is why a condition is as it is. The set is closed.
type Reason string

// Reasons, of whatever condition.
const (
	// ReasonAccepted, ReasonResolvedRefs, ReasonProgrammed, ReasonAvailable,
	// ReasonProtected and ReasonReady go with status True.
	ReasonAccepted     Reason = "Accepted"
	ReasonResolvedRefs Reason = "ResolvedRefs"
	ReasonProgrammed   Reason = "Programmed"
	ReasonAvailable    Reason = "Available"
	ReasonProtected    Reason = "Protected"
	ReasonReady        Reason = "Ready"

	// ReasonNotFound: something that is referred to does not exist.
	ReasonNotFound Reason = "NotFound"
	// ReasonNotPermitted: its owner does not allow that it is referred to.
	ReasonNotPermitted Reason = "NotPermitted"
	// ReasonInvalid: the schema accepts a value that makes no sense.
	ReasonInvalid Reason = "Invalid"
	// ReasonConflict: an older object has claimed the same thing.
	ReasonConflict Reason = "Conflict"
	// ReasonPending: the operator is at it, or waits for the cluster.
	ReasonPending Reason = "Pending"
	// ReasonNotReady: something that it depends on is not ready.
	ReasonNotReady Reason = "NotReady"
	// ReasonNoWorkload: no Deployment carries the server's annotation.
	ReasonNoWorkload Reason = "NoWorkload"
	// ReasonUnmanaged: the server runs elsewhere and validates tokens itself.
	ReasonUnmanaged Reason = "Unmanaged"
	// ReasonNotInjected: a pod of the workload runs without the sidecar.
	ReasonNotInjected Reason = "NotInjected"
	// ReasonOutdated: a pod runs a sidecar that is not the one it should have now.
	ReasonOutdated Reason = "Outdated"
	// ReasonCounterfeit: a pod runs something by the sidecar's name that the webhook
	// never wrote.
	ReasonCounterfeit Reason = "Counterfeit"
	// ReasonBypassed: a Service leads past the sidecar.
	ReasonBypassed Reason = "Bypassed"
	// ReasonPortOpen: other pods reach the app's port past the sidecar.
	ReasonPortOpen Reason = "PortOpen"
)
