package vault

import (
	"reflect"
	"testing"
)

// views says of every method of an open array what it does for who may see only a part of it: "part" when its answer is that of
// the part, "whole" when it is refused, "none" when it tells nothing of what the array holds, "server" when its answer does not
// leave the server, or not readably. A method that is new has to be thought about, and to be put here.
var views = map[string]string{
	"Schema": "part", "Schemas": "part", "WithEnumerations": "part", "Enumeration": "part", "Metadata": "part", "FragmentInfos": "part", "Vacuumed": "part",
	"NonEmptyDomain": "part", "Read": "part", "Estimate": "part", "EndTimes": "part", "VersionTimes": "part",
	"PutMetadata": "whole", "Evolve": "whole", "Write": "whole", "Delete": "whole", "BeginUpload": "whole", "Upload": "whole", "EndUpload": "whole",
	"UploadedFields": "whole", "Wrote": "whole",
	"At": "none", "Suspend": "server", "Pin": "server", "EndRead": "server",
}

func TestEveryViewDecides(t *testing.T) {
	typ := reflect.TypeFor[*Array]()
	have := map[string]bool{}
	for i := range typ.NumMethod() {
		name := typ.Method(i).Name
		have[name] = true
		if views[name] == "" {
			t.Errorf("Array.%s: what does it do for who may see only a part of the array?", name)
		}
	}
	for name := range views {
		if !have[name] {
			t.Errorf("there is no Array.%s", name)
		}
	}
}
