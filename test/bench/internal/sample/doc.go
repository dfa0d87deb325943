// Package sample runs loads and sees what the cores do meanwhile: which share of them
// went to whom, and what of them a request cost.
package sample
