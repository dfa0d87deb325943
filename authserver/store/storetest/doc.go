// Package storetest is what every store.Store must do, as tests.
//
// A backend's own test is one call of Run. What only that backend has, such as a
// file that is opened again, it tests beside it.
package storetest
