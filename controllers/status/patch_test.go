package status

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// counting is a client that counts patches of status and answers them with err,
// or with the fake's answer when that is nil.
func counting(t *testing.T, err error) (client.Client, *int) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	scope := &v1alpha1.Scope{ObjectMeta: metav1.ObjectMeta{Name: "read", Namespace: "apps"}}
	count := new(int)
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(scope).WithStatusSubresource(scope).
		WithInterceptorFuncs(interceptor.Funcs{
			SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
				*count++
				if err != nil {
					return err
				}
				return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
			},
		}).Build(), count
}

func TestPatchWritesOnlyWhatChanged(t *testing.T) {
	c, count := counting(t, nil)
	for i, want := range []int{1, 1, 2} {
		var before v1alpha1.Scope
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "apps", Name: "read"}, &before); err != nil {
			t.Fatal(err)
		}
		after := before.DeepCopy()
		after.Status.ObservedGeneration = []int64{4, 4, 5}[i]
		if err := Patch(t.Context(), c, &before, after); err != nil {
			t.Fatal(err)
		}
		if *count != want {
			t.Errorf("after step %d there were %d writes, want %d", i, *count, want)
		}
	}
}

func TestPatchLeavesToTheNextCallWhatAStaleCacheCannotDecide(t *testing.T) {
	c, _ := counting(t, nil)
	var stale v1alpha1.Scope
	key := client.ObjectKey{Namespace: "apps", Name: "read"}
	if err := c.Get(t.Context(), key, &stale); err != nil {
		t.Fatal(err)
	}
	newer := stale.DeepCopy()
	newer.Labels = map[string]string{"team": "a"}
	if err := c.Update(t.Context(), newer); err != nil {
		t.Fatal(err)
	}
	after := stale.DeepCopy()
	after.Status.ObservedGeneration = 9
	if err := Patch(t.Context(), c, &stale, after); err != nil {
		t.Errorf("Patch over a stale object: %v; want no error", err)
	}
	var now v1alpha1.Scope
	if err := c.Get(t.Context(), key, &now); err != nil {
		t.Fatal(err)
	}
	if now.Status.ObservedGeneration != 0 {
		t.Errorf("observedGeneration = %d; a stale writer changed the status", now.Status.ObservedGeneration)
	}
}

func TestPatchReportsWhatWillNotHealByItself(t *testing.T) {
	resource := schema.GroupResource{Group: "mcpauth.dev", Resource: "scopes"}
	refused := apierrors.NewForbidden(resource, "read", errors.New("no"))
	for _, test := range []struct {
		name    string
		err     error
		wantErr error
	}{
		{"the object is gone", apierrors.NewNotFound(resource, "read"), nil},
		{"the object has changed", apierrors.NewConflict(resource, "read", errors.New("changed")), nil},
		{"the write is forbidden", refused, refused},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ := counting(t, test.err)
			before := &v1alpha1.Scope{ObjectMeta: metav1.ObjectMeta{Name: "read", Namespace: "apps", ResourceVersion: "1"}}
			after := before.DeepCopy()
			after.Status.ObservedGeneration = 1
			if err := Patch(t.Context(), c, before, after); !errors.Is(err, test.wantErr) {
				t.Errorf("Patch = %v, want %v", err, test.wantErr)
			}
		})
	}
}
