package plan_test

import (
	"os"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
