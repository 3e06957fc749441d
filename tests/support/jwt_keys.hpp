// Keys and tokens for tests: those of RFC 7515 and RFC 8037, and keys in PEM, right ones and wrong ones. They
// protect nothing.
#pragma once

#include <string_view>

namespace test_keys {

// --- RFC 7515 appendix A: the claims of all three are {"iss":"joe", "exp":1300819380, ...} ---

inline constexpr std::string_view hs256_secret =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
inline constexpr std::string_view hs256_token =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

inline constexpr std::string_view rs256_public_jwk =
    R"x({"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qP)x"
    R"x(CJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LO)x"
    R"x(L-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5Zw)x"
    R"x(Kh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ)x"
    R"x(","e":"AQAB"})x";

inline constexpr std::string_view rs256_private_jwk =
    R"x({"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qP)x"
    R"x(CJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LO)x"
    R"x(L-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5Zw)x"
    R"x(Kh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ)x"
    R"x(","e":"AQAB","d":"Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgv)x"
    R"x(fTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxz)x"
    R"x(ubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1Zd)x"
    R"x(iYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ)x"
    R"x(","p":"4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9A)x"
    R"x(B0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",)x"
    R"x("q":"uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7)x"
    R"x(TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc","d)x"
    R"x(p":"BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-F)x"
    R"x(OKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0","dq)x"
    R"x(":"h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9)x"
    R"x(U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU","qi")x"
    R"x(:"IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5)x"
    R"x(cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U"})x";

inline constexpr std::string_view rs256_token =
    R"x(eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlL)x"
    R"x(mNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7)x"
    R"x(AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWz)x"
    R"x(O75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZES)x"
    R"x(c6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlU)x"
    R"x(PQGe77Rw)x";

inline constexpr std::string_view es256_public_jwk =
    R"x({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m)x"
    R"x(36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})x";

inline constexpr std::string_view es256_private_jwk =
    R"x({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m)x"
    R"x(36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"})x";

inline constexpr std::string_view es256_token =
    R"x(eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlL)x"
    R"x(mNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA)x"
    R"x(pmWQxfKTUJqPP3-Kg6NU1Q)x";

// --- RFC 8037 appendix A ---

inline constexpr std::string_view ed25519_public_jwk =
    R"x({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})x";

inline constexpr std::string_view ed25519_private_jwk =
    R"x({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne)x"
    R"x(_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"})x";

inline constexpr std::string_view ed25519_token =
    R"x(eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGc)x"
    R"x(vMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg)x";

// --- PEM ---

inline constexpr std::string_view p256_private = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgvI4g84wF+cXDJUtk
gueB6Ht1iJNVhV4N1irkA6BHQy6hRANCAATqogNpCPcsWvvoTmCTgSoMD0E9Nes8
3eWjIv4EQNh+OBPuPCLukGURfjM2jqxUdFlIitFCqiB8Q/tjypm2j5d+
-----END PRIVATE KEY-----
)";

inline constexpr std::string_view p256_sec1 = R"(-----BEGIN EC PRIVATE KEY-----
MHcCAQEEILyOIPOMBfnFwyVLZILngeh7dYiTVYVeDdYq5AOgR0MuoAoGCCqGSM49
AwEHoUQDQgAE6qIDaQj3LFr76E5gk4EqDA9BPTXrPN3loyL+BEDYfjgT7jwi7pBl
EX4zNo6sVHRZSIrRQqogfEP7Y8qZto+Xfg==
-----END EC PRIVATE KEY-----
)";

inline constexpr std::string_view p256_public = R"(-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE6qIDaQj3LFr76E5gk4EqDA9BPTXr
PN3loyL+BEDYfjgT7jwi7pBlEX4zNo6sVHRZSIrRQqogfEP7Y8qZto+Xfg==
-----END PUBLIC KEY-----
)";

inline constexpr std::string_view p256_certificate = R"(-----BEGIN CERTIFICATE-----
MIIBeDCCAR2gAwIBAgIUZi2HuQpRATzC5vlObJVAfGbF/2YwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGc2lnbmVyMB4XDTI2MTEyOTE1NDI1NVoXDTI2MTEzMDE1NDI1
NVowETEPMA0GA1UEAwwGc2lnbmVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
6qIDaQj3LFr76E5gk4EqDA9BPTXrPN3loyL+BEDYfjgT7jwi7pBlEX4zNo6sVHRZ
SIrRQqogfEP7Y8qZto+XfqNTMFEwHQYDVR0OBBYEFIS0qo1b3H/FtsouET9DluJa
Gq4mMB8GA1UdIwQYMBaAFIS0qo1b3H/FtsouET9DluJaGq4mMA8GA1UdEwEB/wQF
MAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAJOZ4eRSDcEg3yeOfrHhx9z0bKBHNQKP
4/d28EZ0GC8BAiEA6slKyMxQtXwu8B64Xu4rguF7PmDA+C199Oh/e4Xhyf4=
-----END CERTIFICATE-----
)";

inline constexpr std::string_view p256_encrypted = R"(-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAj1stNari1ObAICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEHTeMcUpvwA6VM39k4osDoIEgZDf
kglWpbri/sALXAUZfKlYFOLO+M3OQYPIJsqkX3UWMJo/kqKfqaBwSYEZRRHYiFIo
rrRN1OcWZ3F4Nqd+ZHkNOZFk6Hfw/JCi9lukgIXzGvmoM3p588O9csXx5A4fV9GR
Ru/SMKEAJ2BHkcOdfg12W3wsO1flvXPC6b8NPzAfkPu/6t0KEXvj4Zsg/IKQnR4=
-----END ENCRYPTED PRIVATE KEY-----
)";

inline constexpr std::string_view p384_private = R"(-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDCdSa6b+LI+En0ukLgd
OsDBUrnBpjRCmXaoors0IaqQzyqesnH5NXvcan6BD/8DPTOhZANiAAQB7ob3WJO0
knrzcDeOtqS5XBJCYEz9AGtaM9Ox47wGO2ENu2VXrtG18v1QAoLjnVnW9brUe40P
ubQvM8swBGsGTbVWSlPKawGYBMWxrm1Qgv/8ZVVahff/yGKzJBBMO2M=
-----END PRIVATE KEY-----
)";

inline constexpr std::string_view p384_public = R"(-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEAe6G91iTtJJ683A3jrakuVwSQmBM/QBr
WjPTseO8BjthDbtlV67RtfL9UAKC451Z1vW61HuND7m0LzPLMARrBk21VkpTymsB
mATFsa5tUIL//GVVWoX3/8hisyQQTDtj
-----END PUBLIC KEY-----
)";

inline constexpr std::string_view p521_public = R"(-----BEGIN PUBLIC KEY-----
MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBbMtjmfXyd3VNXu0Of07XsLpzDtP0
EsuRVs/vLUFJKhqUG7IT50wgoa4KXZBTV2SJe1+Nd+9yayDP44taJb2Esd8Aew4N
dNfJ3yHDc2yBARlelfaB/097Z4nawyrPcdUJD/xpIXPULODp3AbOrbIieIZqx667
+NUGwWF3cEsSTLbsXcI=
-----END PUBLIC KEY-----
)";

inline constexpr std::string_view secp256k1_public = R"(-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEKtZB56aHeh+yD/WGnYQTqr1Tud4FwC9X
DJI1GpbeHHoqGG6Z93G5ebxYUQAkE3ZiZeOjsfBA+4VcXaEh4uqh+w==
-----END PUBLIC KEY-----
)";

inline constexpr std::string_view ed25519_private = R"(-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIOEVZViok3XCyRhRdOqgvcHJZjoxGsC9C8D6Fb7RMAhR
-----END PRIVATE KEY-----
)";

inline constexpr std::string_view ed25519_public = R"(-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAHmQVcNgRx2ZqZvLu7wME45VjgWgg2BCuGnqgW1uBh1k=
-----END PUBLIC KEY-----
)";

inline constexpr std::string_view ed448_public = R"(-----BEGIN PUBLIC KEY-----
MEMwBQYDK2VxAzoAWFy8WEbYwNFPmLYYI3+mMVS/KCFsCGArKHa2tI+OYNGiwmVY
X3GwiPHe+1WImkOQPDG8e92MrvuA
-----END PUBLIC KEY-----
)";

inline constexpr std::string_view rsa_2047_public = R"(-----BEGIN PUBLIC KEY-----
MIIBITANBgkqhkiG9w0BAQEFAAOCAQ4AMIIBCQKCAQBoBFRs4LmI7Pz6fwt8lkCR
1TCVg2NsXvHH+LAB6yWrRic3FAU+X+ERyEzXDYqGm07fLJUvHO3p/E+fuy99CP82
2wR1KHm2/BoIo5DcKX4Xx0Ij3XFWxJdD+h39EnLkawyDz1OUHz9S83+C9B8wULlW
KdjyeljNI2kgJt5IR7A2g0GyZnlWQPaeGC6/V93rJqeHj7HbCvzyiYf32iVIZQeF
z8wjRMxcokWop9LWvw8HUGNOHRFgiVpW6DwCaUJF9LJQNrfr/lmETNLZbuhopBuq
HTrKUgT/8RtyFNQCySkp8cPuUyPL00fQ+49y+fEvzb+QfLA7u3rVZUukdxscvqAr
AgMBAAE=
-----END PUBLIC KEY-----
)";

inline constexpr std::string_view rsa_2048_public = R"(-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqUaixL2w/jET9sH6jfxW
ekvox+fAXPDsn4t1GidqQv45JJ/lDW/tLPhKLTduEUzUZ6JPNgOayGP3ZLDGU4F7
iwdY/HIp6EAJOOTWuFWXhrGBM0e3LZ1Vd0nhghpEvduzi8YEof6QDtcx6Lnxx6bZ
ViSH7g3RYIBGQUy5Ms/ysh/tuRv/bOJjqOvtWy4ydT78BfcF7IBPlefIadhVFi7a
goTZ/aDlszCzuSxP/K5bspxcggcejA+PCjaG59ynrSGdg4yg443IG5OpIyaTstvx
DB/98pWfvliYd5IaUvSIPwai5IdFF3bC8cIK7y8mRoaCHJo2R/DoqCTquQi12OYg
HQIDAQAB
-----END PUBLIC KEY-----
)";

inline constexpr std::string_view rsa_2048_private = R"(-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCpRqLEvbD+MRP2
wfqN/FZ6S+jH58Bc8Oyfi3UaJ2pC/jkkn+UNb+0s+EotN24RTNRnok82A5rIY/dk
sMZTgXuLB1j8cinoQAk45Na4VZeGsYEzR7ctnVV3SeGCGkS927OLxgSh/pAO1zHo
ufHHptlWJIfuDdFggEZBTLkyz/KyH+25G/9s4mOo6+1bLjJ1PvwF9wXsgE+V58hp
2FUWLtqChNn9oOWzMLO5LE/8rluynFyCBx6MD48KNobn3KetIZ2DjKDjjcgbk6kj
JpOy2/EMH/3ylZ++WJh3khpS9Ig/BqLkh0UXdsLxwgrvLyZGhoIcmjZH8OioJOq5
CLXY5iAdAgMBAAECggEADEa+EhB4wtfqglGQmytYVoplTC7Tna9FAJAeXW0g23wb
nFCdTb4W4GqfBIxPJvbgYPtdjRsHUW5QjY9KyYPBODS/oHVOHT9xpnGQMfJWfiim
6Fdp4pIVFe+NfirrXoKNu6llgh3CXap/093nueqbkKVZwgBjYCvatyx6MkQbA43H
ZeYMhdeJMDEJnfPT5lBCBoXt5FnPZP5WG5VqH9GoTmdPZ1bcJ0e2j+pwe28qVZ4y
lc8IZBDdQzfipmUm1WOb/3cfWTpQvW4qihBTwMPj9i6AYkQFjlgzJn8P0pD/q8VD
RaJL+YmdipxhdUCFHIfbhXLQj3sAVHrXWzgb6TtKiQKBgQDlaqjh3agSCzd/ySfN
xs/wsUqBZydXt+XSkcxX3Ur6rIo38mdXt94A3AioeAf0efIOa6LHYSip5BEfU4rK
49FGR62814c2Ad2eLMYZb4wAOnfVnGWSGzcQ6XrONzTPt6CrKKz2dqBI9ct+d+25
lbbSg1U8GgLWjavkulrl4czyqQKBgQC84/tCcVFlm+EZPvt0ML+BGiM/Lm0mDiEt
O0Nn9X+eGneDPYo0MPesB6iSjy98EGNysxia0AFvisdWeywtqpx8G20OI5KEvQ05
WzjZigwfAqxHaNDCV2IZ13vqiRtQMX4WIqKTsBbZs8G5gm218Jby56IvNCuLyph8
ybipt/PeVQKBgHn/jU2HVRA7XMkcjIk2N3AUp71GwLo59gJTPCphaLUDOgFka6ZP
BcTJPeVw5zIQAzO983M5bKljueNBxuX73lcUWQS6TJHgzhyGTNZL5lRcw0sZ/z2C
MXdR4dd1riTjzpIWcFwkWzpRU2SunAF75xvtcU8jueykrAtXOm1S9Wz5AoGAMr/u
GgPoIqym5emOFcGjMkSbg7YtjTPupgBuM9g52Xiy84ftQeiGIqpMGFRwJZ0hmweT
bMTGHfnjZNDjJcHZGV8lBc945kEE9IwV0hzM9Of68ZSvwgdITDkhCfqcZAdoIPpd
Q+DjwsoRGo54e5GQfOLPKG+T45MjNSPdgXvzAaECgYEA3g/I7JC14eSZ9iLZgY9t
ActQt7bG386b+GIdYmFafZKt8Rq7agBp+ZDS43TPGMeEmsuEwDj2meV9eh2FxbA2
Ay//YubdpfYhBK1cisMsdtmH/TATD6xf0+HxL4WjfRvGqoz8k5scVlnFFo+1PiDq
j46+RCHrZlO7W7RiEci+jFA=
-----END PRIVATE KEY-----
)";

inline constexpr std::string_view rsa_3072_public = R"(-----BEGIN PUBLIC KEY-----
MIIBojANBgkqhkiG9w0BAQEFAAOCAY8AMIIBigKCAYEAuMj6gu6Sopv7WNpPR5sl
RCowacKQhMDlLXWOPkd5kkTuTK75WuYgarIZkTQ8Q1bJH9LEPcAHxsrlmfGdX93V
T2C3fveWJV3oa7lSuoGo+S0ze1uv5ggq7NLOzTwMrX+ZZwUkUiucT38+LmuTr6/X
4Hkm7YDMKlycf1pUKL3MF9g+LJRInXHa2craG0tCH9UePvcjOcuqlVvmPjKlFmbZ
K76MhfLAncgBRbfAhMW82ytjmbnSynyKJn0/aanNlVFbuQv+VAnYYzKABvENRtfA
PgNCr76VFdJkmr1iXJriY86h7awKngK3MudMrcEI/mFrOyHFUOZUiHk2RfTH6pee
UxSGAMZoT9gFXUZp+1IHCzY6GcfYVWsbH0rJxJBagqvTjbxR4mnqy7GRVfFRvPYP
x+2wQ98U9wflwSOtt0WhuzXqyR6gHQY1QLRRvz+Rpn2r0069+bsFSRob9JHwC77G
lSS3b3uJXObz/TN84YAgncbYvKPyBQmJH3Hp7JqCW/LVAgMBAAE=
-----END PUBLIC KEY-----
)";

inline constexpr std::string_view rsa_pss_public = R"(-----BEGIN PUBLIC KEY-----
MIIBIDALBgkqhkiG9w0BAQoDggEPADCCAQoCggEBAMeuv78gIWhhzNBtZ4iwg5YO
51e/fOd4fIag1yrwuvpZdyP1NZaYQifynmQqAAKG+Gp+XDs7Y+PX6bYMnGKXvIsM
gJowWzhto/NyCDBbkR5/cJNL22nTMIlRWNy/EKclQUFJjBIm27AEIyBI4lxuWD4R
b5bF7btBf4FSW+vA98Vq1hcVKSJvIF/9/1ENb9RP+xE/3Q0kEoGCAvvkNk3AV51K
ofMyCja1Gh6jcVwWeqZxE5bhw3538Ti4zRAGrTIzyxr0FxcTu2lGD0G0BHC2LYUR
8iJzdrocu1Zy5HFfWt9bDjUYyBOwvegt5xlXJuJPg6hmNRNwqn9xHYM8VbQkAj0C
AwEAAQ==
-----END PUBLIC KEY-----
)";

}  // namespace test_keys
