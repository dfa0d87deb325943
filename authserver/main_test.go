package authserver_test

import (
	"os"
	"testing"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
)

func TestMain(m *testing.M) { os.Exit(authservertest.Main(m)) }
