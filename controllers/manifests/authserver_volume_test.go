package manifests

import "testing"

func TestVolumeClaim(t *testing.T) {
	golden(t, "authserver_volume", VolumeClaim(authorizationServer()))
}

func TestVolumeClaimOfGivenSizeAndClass(t *testing.T) {
	golden(t, "authserver_volume_sized", VolumeClaim(sizedAuthorizationServer()))
}
