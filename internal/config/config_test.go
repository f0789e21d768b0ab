package config

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestDefaults(t *testing.T) {
	c, err := Load("", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != "./azulejo-data" || c.Listen != "127.0.0.1:8080" || c.TokenLife != 30*time.Minute ||
		c.RememberLife != 30*24*time.Hour || c.MaxTokenLife != 0 || c.MaxMessageBody != 4<<30 {
		t.Errorf("defaults: %+v", c)
	}
}

func TestPrecedence(t *testing.T) {
	file := "# comment\nlisten = 127.0.0.1:1\ndata = /file\nallow-path = /a\nallow-path = /b\nlog-level=warn"
	env := map[string]string{"AZULEJO_LISTEN": "127.0.0.1:2", "AZULEJO_DATA": "/env", "AZULEJO_ALLOW_PATH": "/c:/d", "HOME": "/x",
		"AZULEJO_ADMIN_PASSWORD": "pw", "AZULEJO_SERVICE_HOST": "10.0.0.1", "AZULEJO_PORT_8080_TCP": "tcp://10.0.0.1"}
	c, err := Load(file, env, map[string][]string{"listen": {"127.0.0.1:3"}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:3" || c.Data != "/env" || c.LogLevel != "warn" || c.AdminPassword != "pw" ||
		strings.Join(c.AllowPaths, " ") != "/c /d" {
		t.Errorf("got %+v", c)
	}
}

func TestFaultsAreReportedTogether(t *testing.T) {
	_, err := Load("lisen = x\nnonsense\nadmin-password = x\nmax-json-body = 1ZB",
		map[string]string{"AZULEJO_DAAT": "x"},
		map[string][]string{"data": {"a", "b"}, "demo": {"perhaps"}, "query-memory": {"8GiB"}, "tls-key": {"k"}, "allow-path": {"rel", "/", ""}})
	if !errors.Is(err, ErrInvalid) {
		t.Fatalf("err = %v", err)
	}
	for _, want := range []string{`"lisen" is not a setting`, "line 2", "admin-password", "1ZB", "AZULEJO_DAAT", `"data" is given 2 times`,
		"perhaps", "over total-memory", "both or neither", "allow-path: name a directory", "whole machine"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
}

// TOK-45: a reachable address needs TLS or an explicit permission.
func TestListenNeedsTLS(t *testing.T) {
	for _, tc := range []struct {
		listen string
		flags  map[string][]string
		ok     bool
	}{
		{"127.0.0.1:0", nil, true},
		{"[::1]:80", nil, true},
		{"localhost:8080", nil, true},
		{"127.8.8.8:1", nil, true},
		{"0.0.0.0:80", nil, false},
		{":80", nil, false},
		{"example.org:80", nil, false},
		{"192.168.1.4:80", nil, false},
		{"[::]:80", nil, false},
		{"0.0.0.0:80", map[string][]string{"insecure-http": {"true"}}, true},
		{"0.0.0.0:80", map[string][]string{"tls-cert": {"c"}, "tls-key": {"k"}}, true},
		{"127.0.0.1", nil, false},
		{"127.0.0.1:70000", nil, false},
	} {
		_, err := Load("listen = "+tc.listen, nil, tc.flags)
		if (err == nil) != tc.ok {
			t.Errorf("%s %v: %v", tc.listen, tc.flags, err)
		}
	}
}

func TestRegions(t *testing.T) {
	for _, tc := range []struct {
		file string
		ok   bool
	}{
		{"region = eu", true},
		{"region = eu\nregion-server = eu=https://eu.example.org/\nregion-server = us=http://10.0.0.1:8080", true},
		{"region-server = us=https://us.example.org", false}, // which is this?
		{"region = eu\nregion-server = us", false},
		{"region = eu\nregion-server = us=us.example.org", false},
		{"region = eu\nregion-server = us=https://us.example.org/path", false},
		{"region = eu\nregion-server = us=https://user:password@us.example.org", false},
		{"region = eu\nregion-server = us=https://a.example.org\nregion-server = us=https://b.example.org", false},
	} {
		c, err := Load(tc.file, nil, nil)
		if (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.file, err)
		}
		if err == nil && len(c.Regions.Peers) == 2 && c.Regions.Servers()["eu"] != "https://eu.example.org" {
			t.Errorf("servers %v", c.Regions.Servers())
		}
	}
}

func TestEverySettingHasHelp(t *testing.T) {
	for _, s := range Settings() {
		if s.Help == "" || s.set == nil || !strings.HasPrefix(s.Env(), "AZULEJO_") {
			t.Errorf("%+v", s)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add("listen = 127.0.0.1:0\n#x\nallow-path=/a")
	f.Add("max-json-body = 9223372036854775807GiB")
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := Load(s, nil, nil); err != nil && !errors.Is(err, ErrInvalid) {
			t.Fatal(err)
		}
	})
}
