package manifests

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func TestOwnerOf(t *testing.T) {
	tests := []struct {
		name, annotation string
		want             types.NamespacedName
		ok               bool
	}{
		{"a namespace and a name", "apps/agent", types.NamespacedName{Namespace: "apps", Name: "agent"}, true},
		{"nothing", "", types.NamespacedName{}, false},
		{"no namespace", "/agent", types.NamespacedName{}, false},
		{"no name", "apps/", types.NamespacedName{}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, ok := OwnerOf(map[string]string{OwnerAnnotation: test.annotation})
			if ok != test.ok || ok && got != test.want {
				t.Errorf("OwnerOf = %v, %t; want %v, %t", got, ok, test.want, test.ok)
			}
		})
	}
}
