package dir

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
)

// maxFileSize bounds one manifest file, in bytes.
const maxFileSize = 8 << 20

// defaultNamespace is where objects are that name none, as for kubectl.
const defaultNamespace = "default"

// Origin is where a manifest stands.
type Origin struct {
	File string
	// Document counts from 1 within the file.
	Document int
}

// String reads "file, document n".
func (o Origin) String() string { return fmt.Sprintf("%s, document %d", o.File, o.Document) }

// ManifestError is one thing that is wrong with the manifests.
type ManifestError struct {
	Origin Origin
	// Object is "Kind namespace/name"; empty where the document is not one.
	Object string
	// Field is a path such as "spec.url"; empty where the whole document is wrong.
	Field   string
	Message string
}

// Error names file, document, object and field.
func (e *ManifestError) Error() string {
	parts := []string{e.Origin.String()}
	if e.Object != "" {
		parts = append(parts, e.Object)
	}
	if e.Field != "" {
		parts = append(parts, e.Field)
	}
	return strings.Join(append(parts, e.Message), ": ")
}

// Manifests is what Load read.
type Manifests struct {
	Input  compiler.Input
	Origin map[compiler.Object]Origin
	// Secrets are the core Secrets among the documents, for what the compiler never
	// sees.
	Secrets map[types.NamespacedName]map[string]string
}

// Load reads every .yaml, .yml and .json file of a folder (not of the folders in
// it), or one file. Documents of other API groups are passed over, so that the
// folder may be one that is applied to clusters as well. Its error joins a
// *ManifestError for everything that is wrong.
func Load(ctx context.Context, path string) (*Manifests, error) {
	files, err := manifestFiles(path)
	if err != nil {
		return nil, err
	}
	schemas, err := loadSchemas()
	if err != nil {
		return nil, err
	}
	l := &loader{schemas: schemas, manifests: newManifests(), namespaces: make(map[string]bool)}
	for _, file := range files {
		if err := l.file(ctx, file); err != nil {
			return nil, err
		}
	}
	if len(l.wrong) == 0 && len(l.manifests.Input.AuthorizationServers) == 0 {
		return nil, fmt.Errorf("%s holds no AuthorizationServer; at least one is needed", path)
	}
	l.impliedNamespaces()
	return l.manifests, errors.Join(l.wrong...)
}

func newManifests() *Manifests {
	return &Manifests{
		Origin:  make(map[compiler.Object]Origin),
		Secrets: make(map[types.NamespacedName]map[string]string),
	}
}

// Compile compiles the manifests. Since nobody but the caller can be asked, every
// problem is an error: a *ManifestError each, joined.
func (m *Manifests) Compile() (*compiler.Result, error) {
	result := compiler.Compile(m.Input)
	var wrong []error
	for object, problems := range result.Problems {
		for _, p := range problems {
			wrong = append(wrong, &ManifestError{Origin: m.Origin[object], Object: object.String(), Field: p.Field, Message: p.Message})
		}
	}
	slices.SortFunc(wrong, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return result, errors.Join(wrong...)
}

func manifestFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the manifests: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("read the manifests: %w", err)
	}
	var files []string
	for _, entry := range entries {
		if !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(entry.Name())) {
			files = append(files, filepath.Join(path, entry.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no .yaml, .yml or .json file: %w", path, fs.ErrNotExist)
	}
	return files, nil
}

type loader struct {
	schemas    map[string]*schema
	manifests  *Manifests
	namespaces map[string]bool
	wrong      []error
}

func (l *loader) refuse(e *ManifestError) { l.wrong = append(l.wrong, e) }

func (l *loader) file(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read the manifests: %w", err)
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxFileSize+1))
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if len(data) > maxFileSize {
		return fmt.Errorf("%s is larger than %d MiB", path, maxFileSize>>20)
	}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for n := 1; ; n++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		origin := Origin{File: path, Document: n}
		if err != nil {
			l.refuse(&ManifestError{Origin: origin, Message: err.Error()})
			return nil
		}
		l.document(ctx, origin, document)
	}
}

func (l *loader) document(ctx context.Context, origin Origin, document []byte) {
	content, err := read(document)
	if err != nil {
		l.refuse(&ManifestError{Origin: origin, Message: err.Error()})
		return
	}
	if len(content) == 0 {
		return // nothing but comments
	}
	object := &unstructured.Unstructured{Object: content}
	gvk := object.GroupVersionKind()
	switch {
	case gvk.Kind == "":
		l.refuse(&ManifestError{Origin: origin, Field: "kind", Message: "is missing"})
	case gvk.Group == "" && gvk.Version == "v1" && gvk.Kind == "Namespace":
		l.namespace(origin, content)
	case gvk.Group == "" && gvk.Version == "v1" && gvk.Kind == "Secret":
		l.secret(origin, content)
	case gvk.Group != v1alpha1.GroupVersion.Group:
		return
	case gvk.Version != v1alpha1.GroupVersion.Version:
		l.refuse(&ManifestError{Origin: origin, Field: "apiVersion", Message: fmt.Sprintf("%s is not served; use %s", gvk.GroupVersion(), v1alpha1.GroupVersion)})
	default:
		l.resource(ctx, origin, object)
	}
}

// read keeps whole numbers whole, as the API server does: rules compare them.
func read(document []byte) (content map[string]any, err error) {
	encoded, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return nil, err
	}
	return content, json.Unmarshal(encoded, &content)
}

func (l *loader) namespace(origin Origin, content map[string]any) {
	var namespace corev1.Namespace
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, &namespace); err != nil {
		l.refuse(&ManifestError{Origin: origin, Object: "Namespace", Message: err.Error()})
		return
	}
	l.namespaces[namespace.Name] = true
	l.manifests.Input.Namespaces = append(l.manifests.Input.Namespaces, &namespace)
}

// secret merges stringData over data, as an API server does.
func (l *loader) secret(origin Origin, content map[string]any) {
	var secret corev1.Secret
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, &secret); err != nil {
		// The decoder's text may quote what it could not read.
		l.refuse(&ManifestError{Origin: origin, Object: "Secret", Message: "data must hold base64, stringData text"})
		return
	}
	values := make(map[string]string, len(secret.Data)+len(secret.StringData))
	for key, value := range secret.Data {
		values[key] = string(value)
	}
	maps.Copy(values, secret.StringData)
	name := types.NamespacedName{Namespace: cmp.Or(secret.Namespace, defaultNamespace), Name: secret.Name}
	l.manifests.Secrets[name] = values
}

func (l *loader) resource(ctx context.Context, origin Origin, object *unstructured.Unstructured) {
	if object.GetNamespace() == "" {
		object.SetNamespace(defaultNamespace)
	}
	name := types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}
	id := compiler.Object{Kind: compiler.Kind(object.GetKind()), NamespacedName: name}
	known := l.schemas[object.GetKind()]
	if known == nil {
		l.refuse(&ManifestError{Origin: origin, Object: id.String(), Field: "kind", Message: "there is no such kind in " + v1alpha1.GroupVersion.String()})
		return
	}
	if name.Name == "" {
		l.refuse(&ManifestError{Origin: origin, Object: id.String(), Field: "metadata.name", Message: "is missing"})
		return
	}
	if other, ok := l.manifests.Origin[id]; ok {
		l.refuse(&ManifestError{Origin: origin, Object: id.String(), Message: "stands in " + other.String() + " already"})
		return
	}
	l.manifests.Origin[id] = origin
	if wrong := known.check(ctx, object.Object); len(wrong) > 0 {
		for _, w := range wrong {
			l.refuse(&ManifestError{Origin: origin, Object: id.String(), Field: w.Field, Message: w.ErrorBody()})
		}
		return
	}
	// The same object gets the same UID at every start: client ids derive from it.
	object.SetUID(types.UID(uuid.NewSHA1(uuid.NameSpaceURL, []byte(id.String())).String()))
	if err := l.add(object); err != nil {
		l.refuse(&ManifestError{Origin: origin, Object: id.String(), Message: err.Error()})
	}
}

func (l *loader) add(object *unstructured.Unstructured) error {
	in := &l.manifests.Input
	switch compiler.Kind(object.GetKind()) {
	case compiler.KindAuthorizationServer:
		return convert(object, &in.AuthorizationServers)
	case compiler.KindIdentityProvider:
		return convert(object, &in.IdentityProviders)
	case compiler.KindMCPServer:
		return convert(object, &in.MCPServers)
	case compiler.KindScope:
		return convert(object, &in.Scopes)
	case compiler.KindOAuthClient:
		return convert(object, &in.OAuthClients)
	default:
		return fmt.Errorf("the kind %s is not read from files", object.GetKind())
	}
}

func convert[T any, P interface {
	*T
	client.Object
}](object *unstructured.Unstructured, into *[]P) error {
	typed := P(new(T))
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
		return err
	}
	*into = append(*into, typed)
	return nil
}

// impliedNamespaces adds those that objects are in and no manifest describes.
func (l *loader) impliedNamespaces() {
	for object := range l.manifests.Origin {
		if l.namespaces[object.Namespace] {
			continue
		}
		l.namespaces[object.Namespace] = true
		namespace := &corev1.Namespace{}
		namespace.Name = object.Namespace
		namespace.Labels = map[string]string{corev1.LabelMetadataName: object.Namespace}
		l.manifests.Input.Namespaces = append(l.manifests.Input.Namespaces, namespace)
	}
}
