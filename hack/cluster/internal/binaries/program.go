package binaries

import "strings"

const (
	kubernetesVersion = "v1.37.2"
	etcdVersion       = "v3.7.3"
	coreDNSVersion    = "v1.15.0"
	ownVersion        = "v1"
)

// Program is one executable of the node and how to build it.
type Program struct {
	// Name is the file's name in a set.
	Name string
	// Version is the upstream version, "v"-prefixed. It is part of the cache key.
	Version string
	// Package is the import path of the main package.
	Package string
	// Module is the building module's folder below the repository, "." for the project's own.
	Module string
	// Sources are the files below the repository that, beside the flags, decide the content.
	Sources []string
	// LDFlags go to the linker.
	LDFlags []string
}

// Envtest lists the programs that a controller test needs: an API server, its store, a client.
func Envtest() []Program {
	return []Program{
		kubernetes("kube-apiserver"),
		kubernetes("kubectl"),
		upstream("etcd", etcdVersion, "go.etcd.io/etcd/server/v3"),
	}
}

// Node lists every program of a one-node cluster, those of Envtest first.
//
// kube-apiserver leads since it compiles most of what the other Kubernetes programs share.
func Node() []Program {
	return append(Envtest(),
		kubernetes("kubelet"),
		kubernetes("kube-controller-manager"),
		kubernetes("kube-scheduler"),
		kubernetes("kube-proxy"),
		upstream("coredns", coreDNSVersion, "github.com/coredns/coredns"),
		own("provisioner", "main.go", "plan.go", "api.go"),
		own("pause", "main.go"),
	)
}

// kubernetes describes a command of k8s.io/kubernetes. Without the version flags the server
// would call itself v0.0.0, and clients would misjudge what it supports.
func kubernetes(name string) Program {
	major, minor, _ := strings.Cut(strings.TrimPrefix(kubernetesVersion, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	p := moduleProgram("kubernetes", name, kubernetesVersion, "k8s.io/kubernetes/cmd/"+name)
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		p.LDFlags = append(p.LDFlags,
			"-X "+pkg+".gitVersion="+kubernetesVersion,
			"-X "+pkg+".gitMajor="+major,
			"-X "+pkg+".gitMinor="+minor)
	}
	return p
}

func upstream(name, version, pkg string) Program {
	return moduleProgram(name, name, version, pkg)
}

func moduleProgram(module, name, version, pkg string) Program {
	folder := "hack/build/" + module
	return Program{
		Name:    name,
		Version: version,
		Package: pkg,
		Module:  folder,
		Sources: []string{folder + "/go.mod", folder + "/go.sum"},
		LDFlags: []string{"-s", "-w"},
	}
}

// own describes a program of this repository, which is made of those files and the standard library.
func own(name string, files ...string) Program {
	folder := "hack/cluster/" + name
	sources := make([]string, 0, len(files))
	for _, file := range files {
		sources = append(sources, folder+"/"+file)
	}
	return Program{
		Name:    name,
		Version: ownVersion,
		Package: "./" + folder,
		Module:  ".",
		Sources: sources,
		LDFlags: []string{"-s", "-w"},
	}
}
