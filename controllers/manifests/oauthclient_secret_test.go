package manifests

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

func TestCredentialSecret(t *testing.T) {
	golden(t, "oauthclient_secret", CredentialSecret(oauthClient(), compiledClient(), "mcpsec_0123456789"))
}

func TestFillCredentialSecretLeavesWhatOthersAdded(t *testing.T) {
	var secret corev1.Secret
	secret.Labels = map[string]string{"team": "a"}
	secret.Data = map[string][]byte{"extra": []byte("kept"), "client_id": []byte("wrong")}
	FillCredentialSecret(&secret, oauthClient(), compiledClient(), "s")
	if secret.Labels["team"] != "a" || string(secret.Data["extra"]) != "kept" {
		t.Errorf("labels %v and entries %v lost what was theirs", secret.Labels, secret.Data)
	}
	if got := string(secret.Data["client_id"]); got != "agent" {
		t.Errorf("client_id = %q, want %q", got, "agent")
	}
}

func TestLabelsAreValidForLongNames(t *testing.T) {
	client := oauthClient()
	client.Name = strings.Repeat("x", 253)
	for key, value := range CredentialSecret(client, compiledClient(), "s").Labels {
		if problems := validation.IsValidLabelValue(value); problems != nil {
			t.Errorf("label %s: %v", key, problems)
		}
	}
}
