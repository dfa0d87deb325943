package main

import (
	"fmt"
	"strings"
)

// prefix is what all images' names begin with.
const prefix = "mcpauth/"

// image is one image that this command can build.
type image struct {
	// name follows the prefix; the archive is NAME.tar and the binary in it /NAME.
	name string
	// pkg is the main package, from the repository's root.
	pkg string
	// opens are the libraries that the program opens at run time where they are there; most open
	// none and are static.
	opens []string
}

// table lists all images that can be built.
func table() []image {
	return []image{
		{name: "operator", pkg: "./cmd/operator"},
		{name: "authserver", pkg: "./cmd/authserver", opens: []string{"libcrypto.so.3"}},
		{name: "sidecar", pkg: "./cmd/sidecar"},
		{name: "todo", pkg: "./test/todo"},
		{name: "dial", pkg: "./test/dial"},
	}
}

// choose returns the images of the given names, all of them for none.
func choose(names []string) ([]image, error) {
	if len(names) == 0 {
		return table(), nil
	}
	chosen := make([]image, 0, len(names))
	for _, name := range names {
		found, err := find(name)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, found)
	}
	return chosen, nil
}

func find(name string) (image, error) {
	known := make([]string, 0, len(table()))
	for _, candidate := range table() {
		if candidate.name == name {
			return candidate, nil
		}
		known = append(known, candidate.name)
	}
	return image{}, fmt.Errorf("no image %q: there are %s", name, strings.Join(known, ", "))
}

func (i image) reference(tag string) string { return prefix + i.name + ":" + tag }
