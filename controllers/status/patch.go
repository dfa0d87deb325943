package status

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Patch writes the status of after where it differs from that of before, in one
// request, and asks nothing of the API server when it does not. The two are the
// same object in everything but status.
//
// The write is refused when the object has changed since before was read, so
// that a cache that lags behind can never put an old status back. That is no
// error: whoever watches the object is called again with its newer state. Nor is
// it an error that the object is gone.
func Patch(ctx context.Context, c client.Client, before, after client.Object) error {
	change, err := client.MergeFrom(before).Data(after)
	if err != nil {
		return fmt.Errorf("compare the status of %s: %w", client.ObjectKeyFromObject(after), err)
	}
	if string(change) == "{}" {
		return nil
	}
	err = c.Status().Patch(ctx, after, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the status of %s: %w", client.ObjectKeyFromObject(after), err)
	}
	return nil
}
