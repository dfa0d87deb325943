// Package status turns what is known about an object into its conditions.
//
// A Report gathers the compiler's problems and a reconciler's findings while the
// phases run. At the end it becomes conditions in one place, and Patch writes
// them in one request, or in none when nothing changed:
//
//	problems ─┐
//	          ├─▶ Report ─▶ conditions ─▶ Patch
//	findings ─┘
//
// A condition against which nothing was found is True. Ready sums the others up:
// it takes over reason and message of the first that fails, in the order in
// which the report was given its types.
package status
