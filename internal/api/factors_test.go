package api

import (
	"encoding/base32"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"azulejo/internal/factor"
)

// basic sends a request with a name, a password and a code.
func (w *world) basic(name, password, code, method, path string, status int, part string) string {
	w.t.Helper()
	r := httptest.NewRequest(method, path, nil)
	r.SetBasicAuth(name, password)
	if code != "" {
		r.Header.Set("X-Azulejo-Code", code)
	}
	reply := httptest.NewRecorder()
	w.server.ServeHTTP(reply, r)
	if reply.Code != status || !strings.Contains(reply.Body.String(), part) {
		w.t.Errorf("%s %s: %d %s, want %d with %q", method, path, reply.Code, reply.Body, status, part)
	}
	return reply.Body.String()
}

func TestSecondFactor(t *testing.T) {
	w := newWorld(t)
	now := time.Unix(2_000_000_000, 0)
	w.Factors = factor.New(w.DB, func() time.Time { return now }, w.Vault)
	w.api.factors, w.server.Factors = w.Factors, w.Factors
	const path, password = "/v1/user/second_factor", "a long password"
	w.send(w.Token(t, "user:read-write"), post, path, "", 403, "user:admin")
	w.send(w.Full, get, path, "", 200, `{"enabled":false}`)
	w.send(w.Full, http.MethodPut, path, `{"code":"123456"}`, 404, "")
	var e struct{ Secret, URI string }
	must(t, json.Unmarshal([]byte(w.send(w.Full, post, path, "", 200, `otpauth://totp/Azulejo:ann?issuer=Azulejo`)), &e))
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(e.Secret)
	must(t, err)
	code := func() string { return factor.Code(secret, factor.Step(now)) }
	w.basic("ann", password, "", get, "/v1/user", 200, "") // not before it is confirmed
	w.send(w.Full, http.MethodPut, path, `{"code":""}`, 401, "wrong code")
	var made struct {
		Codes []string `json:"recovery_codes"`
	}
	must(t, json.Unmarshal([]byte(w.send(w.Full, http.MethodPut, path, `{"code":"`+code()+`"}`, 200, "recovery_codes")), &made))
	w.send(w.Full, post, path, "", 409, "remove it first")

	w.basic("ann", password, "", get, "/v1/user", 401, "API token")
	w.basic("ann", password, "", post, "/v1/token", 401, "API token")
	w.basic("ann", password, "", get, "/v1/session", 401, "send its code")
	w.basic("ann", password, code(), get, "/v1/session", 401, "wrong code") // used for the confirmation
	now = now.Add(time.Minute)
	w.basic("ann", "another password", code(), get, "/v1/session", 401, "wrong user name or password")
	w.basic("ann", password, code(), get, "/v1/user", 401, "API token") // never without a session
	w.basic("ann", password, code(), get, "/v1/session", 200, "azj_s_")
	w.basic("ann", password, code(), get, "/v1/session", 401, "wrong code") // once
	now = now.Add(time.Hour)
	w.basic("ann", password, factor.Code(secret, factor.Step(now)-2), get, "/v1/session", 401, "wrong code")
	w.basic("ann", password, made.Codes[0], get, "/v1/session", 200, "azj_s_")
	w.send(w.Full, get, "/v1/user", "", 200, "") // tokens go on
	w.basic("bob", password, "", get, "/v1/user", 200, "")

	// Neither the secret nor a recovery code lies anywhere.
	w.nowhere(string(secret))
	w.nowhere(e.Secret)
	for _, c := range made.Codes {
		w.nowhere(c)
	}
	w.send(w.Full, del, path, `{"code":"000000"}`, 401, "wrong code")
	w.send(w.Full, del, path, `{"code":"`+strings.ToLower(made.Codes[0])+`"}`, 401, "wrong code")
	w.send(w.Full, del, path, `{"code":"`+strings.ToLower(made.Codes[1])+`"}`, 204, "")
	w.basic("ann", password, "", get, "/v1/user", 200, "")
}

// Codes are guessed no oftener than passwords.
func TestSecondFactorIsThrottled(t *testing.T) {
	w := newWorld(t)
	const path = "/v1/user/second_factor"
	w.send(w.Full, post, path, "", 200, "")
	for range 100 {
		if status, _ := w.call(w.Full, http.MethodPut, path, []byte(`{"code":"x"}`)); status == http.StatusTooManyRequests {
			return
		}
	}
	t.Error("100 wrong codes were heard")
}

func TestRevokeOtherSessions(t *testing.T) {
	w := newWorld(t)
	session := func() string {
		var made struct{ Token string }
		must(t, json.Unmarshal([]byte(w.send(w.Full, get, "/v1/session", "", 200, "")), &made))
		return made.Token
	}
	one, two := session(), session()
	w.send(w.Token(t, "user:read-write"), post, "/v1/tokens/session/revoke_others", "", 403, "user:admin")
	w.send(two, post, "/v1/tokens/session/revoke_others", "", 204, "")
	w.send(one, get, "/v1/user", "", 401, "revoked")
	w.send(two, get, "/v1/user", "", 200, "")
	w.send(w.Full, get, "/v1/user", "", 200, "")
}
