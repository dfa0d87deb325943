package injector

import "fmt"

// Refusal is why a pod is not let in: what is in the way and what to do about
// it, in words for whoever creates the pod.
type Refusal struct {
	Message string
}

// Error returns the message.
func (r *Refusal) Error() string { return r.Message }

func refuse(format string, args ...any) *Refusal {
	return &Refusal{Message: fmt.Sprintf(format, args...)}
}
