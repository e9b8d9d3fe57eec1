"""A client of NVIDIA's remote attestation service as its SDK behaves, with the standard library, PyJWT and cryptography alone.

nras_client.py BASE_URL API_KEY REQUEST_FILE KIND CLAIMS_VERSION: exit 0 and a line for each device, or 1 with what a client would refuse.
"""
import base64
import hashlib
import json
import sys
import urllib.request

import jwt
from cryptography import x509

GPU = """eat_nonce measres hwmodel ueid oemid x-nvidia-gpu-arch-check x-nvidia-gpu-driver-version x-nvidia-gpu-vbios-version
x-nvidia-gpu-attestation-report-cert-chain x-nvidia-gpu-attestation-report-cert-chain-fwid-match x-nvidia-gpu-attestation-report-parsed
x-nvidia-gpu-attestation-report-nonce-match x-nvidia-gpu-attestation-report-signature-verified x-nvidia-gpu-vbios-index-no-conflict""".split()
GPU += [f"x-nvidia-gpu-{rim}-rim-{part}" for rim in ("driver", "vbios") for part in ("fetched", "cert-chain", "signature-verified", "version-match", "measurements-available")]
SWITCH = """eat_nonce measres hwmodel ueid x-nvidia-switch-arch-check x-nvidia-switch-bios-version x-nvidia-switch-attestation-report-cert-chain
x-nvidia-switch-attestation-report-nonce-match x-nvidia-switch-attestation-report-signature-verified x-nvidia-switch-bios-rim-fetched""".split()


def fail(why):
    print(why)
    sys.exit(1)


def get(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


def main(base, key, request_file, kind, version):
    with open(request_file, "rb") as file:
        body = file.read()
    asked = json.loads(body)
    api = "v4" if version == "4.0" else "v3"
    request = urllib.request.Request(f"{base}/{api}/attest/{kind}", data=body, headers={"Content-Type": "application/json", "Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        if not answer.headers.get("x-request-id"):
            fail("no x-request-id")
        bundle = json.load(answer)

    # The keys come out of their certificates, as NVIDIA's client takes them.
    keys = {entry["kid"]: x509.load_der_x509_certificate(base64.b64decode(entry["x5c"][0])).public_key() for entry in get(f"{base}/.well-known/jwks.json")["keys"]}

    def read(token):
        header = jwt.get_unverified_header(token)
        if header["alg"] != "ES384":
            fail("another algorithm than ES384")
        return jwt.decode(token, keys[header["kid"]], algorithms=["ES384"], issuer=base, options={"require": ["exp", "iat", "nbf", "iss"], "verify_aud": False})

    if bundle[0][0] != "JWT":
        fail("not a detached bundle")
    overall = read(bundle[0][1])
    if overall["eat_nonce"] != asked["nonce"] or overall["x-nvidia-overall-att-result"] is not True:
        fail(f"overall: {overall['eat_nonce']} {overall['x-nvidia-overall-att-result']}")
    if set(overall["submods"]) != set(bundle[1]) or len(bundle[1]) != len(asked["evidence_list"]):
        fail("submods are not the tokens, one for each device")
    for name, token in bundle[1].items():
        if overall["submods"][name] != ["DIGEST", ["SHA-256", hashlib.sha256(token.encode()).hexdigest()]]:
            fail(f"{name}: another digest")
        claims = read(token)
        missing = [claim for claim in (GPU if kind == "gpu" else SWITCH) if claim not in claims]
        if missing or claims["measres"] != "success" or claims["eat_nonce"] != asked["nonce"]:
            fail(f"{name}: missing {missing}, measres {claims['measres']}")
        if kind == "gpu" and claims["x-nvidia-gpu-claims-version"] != version:
            fail(f"{name}: claims {claims['x-nvidia-gpu-claims-version']}")
        if kind == "gpu" and version == "4.0" and ("x-nvidia-attester-claims" not in claims or "x-nvidia-mismatch-opaque-data-records" not in claims):
            fail(f"{name}: not the claims of 4.0")
        print(f"{name} {claims['hwmodel']}")


main(*sys.argv[1:])
