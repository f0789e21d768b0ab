// Package apifuzz is tests only: schemathesis makes requests from the server's own description of its API.
package apifuzz
