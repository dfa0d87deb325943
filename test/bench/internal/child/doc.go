// Package child runs a benchmark's program again, in a role, as a process of its own:
// something that is measured, or measured against, must not share a heap and a
// scheduler with the load. It reads /proc, which Linux has.
package child
