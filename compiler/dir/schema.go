package dir

import (
	"context"
	"fmt"
	"io/fs"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/mcpauth/mcpauth/config/crd"
)

// schema is one kind's definition, ready to check objects with.
type schema struct {
	structural *structuralschema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

// loadSchemas reads the definitions that are compiled into the program, by kind.
func loadSchemas() (map[string]*schema, error) {
	files, err := fs.Glob(crd.Files, "*.yaml")
	if err != nil {
		return nil, err
	}
	schemas := make(map[string]*schema, len(files))
	for _, name := range files {
		kind, s, err := loadSchema(name)
		if err != nil {
			return nil, fmt.Errorf("read the definition %s: %w", name, err)
		}
		schemas[kind] = s
	}
	return schemas, nil
}

func loadSchema(name string) (string, *schema, error) {
	data, err := crd.Files.ReadFile(name)
	if err != nil {
		return "", nil, err
	}
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(data, &definition); err != nil {
		return "", nil, err
	}
	var internal apiextensions.JSONSchemaProps
	external := definition.Spec.Versions[0].Schema.OpenAPIV3Schema
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(external, &internal, nil); err != nil {
		return "", nil, err
	}
	structural, err := structuralschema.NewStructural(&internal)
	if err != nil {
		return "", nil, err
	}
	validator, _, err := validation.NewSchemaValidator(&internal)
	if err != nil {
		return "", nil, err
	}
	rules := cel.NewValidator(structural, true, celconfig.PerCallLimit)
	return definition.Spec.Names.Kind, &schema{structural: structural, validator: validator, rules: rules}, nil
}

// check fills in defaults and says everything that is wrong with the object.
func (s *schema) check(ctx context.Context, object map[string]any) field.ErrorList {
	var wrong field.ErrorList
	options := structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	for _, path := range pruning.PruneWithOptions(object, s.structural, true, options) {
		wrong = append(wrong, field.Forbidden(field.NewPath(path), "there is no such field"))
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(object, s.structural)
	defaulting.Default(object, s.structural)
	wrong = append(wrong, validation.ValidateCustomResource(nil, object, s.validator)...)
	wrong = append(wrong, listtype.ValidateListSetsAndMaps(nil, s.structural, object)...)
	if len(wrong) > 0 || s.rules == nil {
		return wrong // rules assume the types that the schema promises
	}
	wrong, _ = s.rules.Validate(ctx, nil, s.structural, object, nil, celconfig.RuntimeCELCostBudget)
	return wrong
}
