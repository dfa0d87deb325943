package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// configuration is what the generated apply configurations have in common.
type configuration interface {
	runtime.ApplyConfiguration
	GetName() *string
	GetNamespace() *string
}

// apply brings a child in step by server-side apply: the fields in want become
// as it says, fields that the manager applied before and want no longer names are
// given up, and all others are left to whoever owns them. Where the live object
// has all that already nothing is sent. live is an empty object to read into, and
// extract is the generated function for its kind.
func apply[L client.Object, C configuration](
	ctx context.Context, c client.Client, manager client.FieldOwner, live L, want C, extract func(L, string) (C, error),
) error {
	key := client.ObjectKey{Name: *want.GetName()}
	if namespace := want.GetNamespace(); namespace != nil {
		key.Namespace = *namespace
	}
	err := c.Get(ctx, key, live)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read %T %s: %w", live, key, err)
	}
	if err == nil {
		have, err := extract(live, string(manager))
		if err == nil && equality.Semantic.DeepEqual(have, want) {
			return nil
		}
	}
	if err := c.Apply(ctx, want, manager, client.ForceOwnership); err != nil {
		return fmt.Errorf("apply %T %s: %w", live, key, err)
	}
	return nil
}
