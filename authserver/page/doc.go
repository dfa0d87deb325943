// Package page writes what people see of the authorization server: sign-in,
// consent, connected apps, being signed out, and errors. The pages are plain HTML
// forms with one style sheet, need no script, and load nothing else; the logo is
// part of the page.
//
// # Forms
//
// The names in the forms are a contract with whoever drives them. All forms are
// sent by POST and carry the input "request", sealed. Beside it:
//
//	sign-in         inputs "username" and "password"; "provider" with a provider's
//	                name, an input where it has a password and a button where not
//	consent         the button "decision" with "approve" or "deny"
//	connected apps  the button "disconnect" with an app's key;
//	                in a form of its own, the button "signout" with "yes"
//
// # Content Security Policy
//
// Everything is forbidden but our own style sheet, named by its hash, and being
// framed is forbidden too. Images may come from data: URIs on pages with a logo,
// and there alone. A page whose form ends on our own pages may send it nowhere
// else, and a page without a form nowhere at all.
//
// Sign-in for an app and consent have no form-action: Chromium applies that
// directive to every redirect that follows a submission, so the redirect to the
// client (after sign-in too, where consent is remembered), the hop to an upstream
// provider, and wherever each of them sends the browser next would have to be
// listed, and nobody can know that list.
package page
