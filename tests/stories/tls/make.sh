#!/bin/sh
# Makes the certificates of the stories about TLS, valid from 2020 to 2120 and
# trusted by nobody: an authority, a server it signed, one it did not, a client.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/ca.conf" <<'CONF'
[ca]
default_ca = it
[it]
new_certs_dir = $ENV::work
database = $ENV::work/index
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = keyCertSign
[server]
subjectAltName = DNS:localhost,DNS:music.test,IP:127.0.0.1
[client]
extendedKeyUsage = clientAuth
CONF
export work
: > "$work/index"
# sign NAME AUTHORITY KIND: a key and a certificate
sign() {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/$1.key"
    openssl req -new -key "$work/$1.key" -subj "/CN=$1" -out "$work/$1.csr"
    if [ "$1" = "$2" ]; then who="-selfsign"; else who="-cert $work/$2.crt"; fi
    # shellcheck disable=SC2086 # two words
    openssl ca -batch -notext -config "$work/ca.conf" $who -keyfile "$work/$2.key" \
        -extensions "$3" -startdate 20200101000000Z -enddate 21200101000000Z \
        -in "$work/$1.csr" -out "$work/$1.crt" 2> "$work/log" || { cat "$work/log"; exit 1; }
    cat "$work/$1.crt" "$work/$1.key" > "$work/$1.pem"
}
sign authority authority authority
sign stranger stranger authority
sign server authority server
sign impostor stranger server
sign client authority client
cp "$work/authority.crt" authority.pem
cp "$work/server.pem" "$work/impostor.pem" "$work/client.pem" .
openssl pkcs8 -topk8 -passout pass:hush -in "$work/client.key" > "$work/locked.key"
cat "$work/client.crt" "$work/locked.key" > locked.pem
