package injector

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// unfit says why no sidecar could guard a pod, whatever ports it has.
func unfit(pod *corev1.Pod, cfg Config) []flaw {
	_, mirrored := pod.Annotations[corev1.MirrorPodAnnotationKey]
	switch {
	case mirrored:
		return []flaw{notInjected("it is a static pod, which its node runs as a file there says, whatever is added to its image in the API").
			curedBy("let a Deployment run it, or remove the label from the file")}
	case isWindows(pod):
		return []flaw{notInjected("it is a Windows pod, and the sidecar is a program for Linux").
			curedBy("run the server on Linux, or let it validate tokens itself (an MCPServer without spec.workload)")}
	case pod.Spec.HostNetwork:
		return []flaw{bypassed("it uses the node's network, where port %d is open beside the sidecar", cfg.AppPort).curedBy("set hostNetwork: false")}
	}
	return nil
}

func isWindows(pod *corev1.Pod) bool {
	return pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows || pod.Spec.NodeSelector[corev1.LabelOSStable] == string(corev1.Windows)
}

// exposures are ways in which other containers of the pod, or its settings, reach into
// the sidecar.
func exposures(pod *corev1.Pod) []flaw {
	flaws := misleadingNames(pod)
	for n := range neighbours(pod) {
		for _, m := range n.VolumeMounts {
			if m.Name == TLSVolumeName {
				flaws = append(flaws, bypassed("container %q mounts the volume %q, which holds the private key of the sidecar", n.Name, TLSVolumeName).
					curedBy("remove that volumeMount"))
			}
		}
		if sharesProcesses(pod) {
			flaws = append(flaws, intruder(pod, n.Container)...)
		}
	}
	return flaws
}

// misleadingNames finds names in the pod's hosts file by which the sidecar asks for the
// keys of the authorization server, so that somebody else's would be believed.
func misleadingNames(pod *corev1.Pod) []flaw {
	for _, alias := range pod.Spec.HostAliases {
		for _, host := range alias.Hostnames {
			if strings.HasSuffix(strings.TrimSuffix(strings.ToLower(host), "."), ".svc") {
				return []flaw{bypassed("its hostAliases give the Service %s the address %s, and the sidecar would ask it for keys", host, alias.IP).
					curedBy("remove that alias")}
			}
		}
	}
	return nil
}

func sharesProcesses(pod *corev1.Pod) bool {
	return pod.Spec.HostPID || pod.Spec.ShareProcessNamespace != nil && *pod.Spec.ShareProcessNamespace
}

// intruder says why a container that sees the sidecar's process could read the tokens
// in its memory: its user may be the same one, or it may trace every process.
func intruder(pod *corev1.Pod, c *corev1.Container) []flaw {
	own := c.SecurityContext
	if own != nil && (own.Privileged != nil && *own.Privileged || own.Capabilities != nil && mayTrace(own.Capabilities.Add)) {
		return []flaw{bypassed("container %q sees the processes of the sidecar and may trace them, and with them its users' tokens", c.Name).
			curedBy("remove shareProcessNamespace and hostPID, or the container's privileges")}
	}
	var uid *int64
	if pod.Spec.SecurityContext != nil {
		uid = pod.Spec.SecurityContext.RunAsUser
	}
	if own != nil && own.RunAsUser != nil {
		uid = own.RunAsUser
	}
	if uid != nil && *uid != user {
		return nil
	}
	return []flaw{bypassed("container %q sees the processes of the sidecar and may run as the same user, %d, who reads its users' tokens there", c.Name, user).
		curedBy("remove shareProcessNamespace and hostPID, or set runAsUser of the container to another user")}
}

func mayTrace(capabilities []corev1.Capability) bool {
	for _, c := range capabilities {
		switch strings.TrimPrefix(strings.ToUpper(string(c)), "CAP_") {
		case "ALL", "SYS_PTRACE", "SYS_ADMIN", "PERFMON", "BPF":
			return true
		}
	}
	return false
}
