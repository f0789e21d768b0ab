#!/bin/sh
# Compiles capnp/rest.capnp to Go. Needs the capnp compiler (Debian: capnproto)
# and Go; the code generator is built from the module version in go.mod. The
# checksum constant at the end lets a test see, without a compiler, that the
# generated code belongs to the schema beside it.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
module=$(go list -m -f '{{.Dir}}' capnproto.org/go/capnp/v3)
go build -o "$tmp/capnpc-go" capnproto.org/go/capnp/v3/capnpc-go
mkdir "$tmp/src"
awk '{ print } /^@0x/ { print "using Go = import \"/go.capnp\";\n$Go.package(\"capnp\");\n$Go.import(\"azulejo/internal/wire/capnp\");" }' \
	capnp/rest.capnp >"$tmp/src/rest.capnp"
# No String methods: printing a message must not print the token inside it.
# The schema comes along, for package capjson.
capnp compile -I "$module/std" --src-prefix="$tmp/src" -o- "$tmp/src/rest.capnp" >"$tmp/request"
(cd "$tmp" && ./capnpc-go -structstrings=false -promises=false <"$tmp/request")
sum=$(sha256sum capnp/rest.capnp | cut -d' ' -f1)
{
	cat "$tmp/rest.capnp.go"
	printf '\n// SourceSum is the SHA-256 of the rest.capnp this file was generated from.\n'
	printf 'const SourceSum = "%s"\n' "$sum"
} | gofmt >capnp/rest.capnp.go
