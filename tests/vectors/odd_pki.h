/* Written by tests/vectors/make_odd_pki. Test material: it protects nothing. */
#ifndef TESTS_VECTORS_ODD_PKI_H
#define TESTS_VECTORS_ODD_PKI_H

/* clang-format off */
static const char odd_pki_ca_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBSjCB8aADAgECAgIQADAKBggqhkjOPQQDAjANMQswCQYDVQQDDAJjYTAgFw0y\n"
    "MDAxMDEwMDAwMDBaGA8yMDk5MTIzMTIzNTk1OVowDTELMAkGA1UEAwwCY2EwWTAT\n"
    "BgcqhkjOPQIBBggqhkjOPQMBBwNCAASCJ8HqNCc7v/H2P36HDCxa5PgshPsdrIRC\n"
    "t6B3z1g8FWzgFwBL/iVTGmoLTIz/qqJmNmpWe9LTf/GcO0pi6Cbkoz8wPTAPBgNV\n"
    "HRMBAf8EBTADAQH/MAsGA1UdDwQEAwIBBjAdBgNVHQ4EFgQUj+xwkIQOQRhkG9oh\n"
    "BTq9XtLiRCswCgYIKoZIzj0EAwIDSAAwRQIgcN52ts6UDo0IT06QKea7sptGLiXb\n"
    "HTXFcoDfqZmljOsCIQDD2e+YMzaF/viebJPl4Z79V3ypA3fYi/6P4ihzJ/7KeA==\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_rsa_keyEncipherment_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIICWjCCAgCgAwIBAgICEAEwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EwIBcN\n"
    "MjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTlaMB4xHDAaBgNVBAMME3JzYV9r\n"
    "ZXlFbmNpcGhlcm1lbnQwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIBAQCm\n"
    "bNi0eY6Dq9dv5Hox0TucdKmBvHFRec7At2V2FOvhTdUxOzoDGCd5OIh0AnnDf8UC\n"
    "NQXvJ38ZOg5ZAoAcZ33TnlppJne0Zc8iMv4c9lofUB0HkUwKyDg8DkY8F8HIZfCj\n"
    "gIt2xdJk11SFCJLuZmnuhbaSDN5girxeH2A4ueEwLpKzv6QeQFqRQoeRfK/YlgyJ\n"
    "/9N6txmubrMpQwt5Wz0X4FJ70sTHFAy3/2R9zJP3hRUwjHcLG6wAmUP2JJVYDPTm\n"
    "LE9m3p/+FgfXH+sZil3NmdgvHHvZ3WNuz7Vc1HgXeUISNkcquzJH1rMvLI7sT/vL\n"
    "+O6DkEhbBkSYxbGVihNRAgMBAAGjcjBwMAkGA1UdEwQCMAAwEwYDVR0lBAwwCgYI\n"
    "KwYBBQUHAwEwDgYDVR0PAQH/BAQDAgUgMB0GA1UdDgQWBBRqBtZeUFeJVRe6cePp\n"
    "l4kNlmb1ujAfBgNVHSMEGDAWgBSP7HCQhA5BGGQb2iEFOr1e0uJEKzAKBggqhkjO\n"
    "PQQDAgNIADBFAiEArhK+jcRVvMUCduBfT2Iq+G2BjU7SHQJ9ZDT4WDfZyAECIBJ7\n"
    "ObA+Uo7J+Cd23C+PrSv3LPSoQZEBnoAi3L5iGijf\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_rsa_keyEncipherment_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEugIBADANBgkqhkiG9w0BAQEFAASCBKQwggSgAgEAAoIBAQCmbNi0eY6Dq9dv\n"
    "5Hox0TucdKmBvHFRec7At2V2FOvhTdUxOzoDGCd5OIh0AnnDf8UCNQXvJ38ZOg5Z\n"
    "AoAcZ33TnlppJne0Zc8iMv4c9lofUB0HkUwKyDg8DkY8F8HIZfCjgIt2xdJk11SF\n"
    "CJLuZmnuhbaSDN5girxeH2A4ueEwLpKzv6QeQFqRQoeRfK/YlgyJ/9N6txmubrMp\n"
    "Qwt5Wz0X4FJ70sTHFAy3/2R9zJP3hRUwjHcLG6wAmUP2JJVYDPTmLE9m3p/+FgfX\n"
    "H+sZil3NmdgvHHvZ3WNuz7Vc1HgXeUISNkcquzJH1rMvLI7sT/vL+O6DkEhbBkSY\n"
    "xbGVihNRAgMBAAECgf8oBbDrteIgXhAxKqzDHqmUg03Si7Apss8D830c9U3LzMWF\n"
    "D4t4Cs3ZwUB9GpemYvg6EXtLZVNDLVlm3uDH8+g6Z82xsqn19G/oZPgwAoOBkuGi\n"
    "0SuMbD6Hgze8KYy0NSAc0rGEGvxereZPjNRpzVDUhiPjgufwRKAaYZIqeIkTlfbS\n"
    "i7+c+j8OlvDelo9QSzJC0GRzeFKDr0MY9bjfCUYHQJSdDCwKFCqzvqBtNBOxeBVS\n"
    "WBG7pxub3vLTBGy9pcIkGyIE69a0AUqrfVIG3AQQcVRZK3JZumHv0LuVbrU7w6ww\n"
    "DO2wJ3tg0DUiPQonUorevP5TzCqUT0st6WxOv1ECgYEA1hLM1cjMqFDUaJNLn97g\n"
    "hQqlABMzUw3e95qwaRMOFFHgglDBWn6pPwU1gPNIZ/EBmgvCuJJN+1MnDt57Iegs\n"
    "FEU9gtGG5OYDaEhW5eVjLQmua1pkLS7/t3fRGIOtPsliuDS/LGZ6E5Qw6E+WVs5U\n"
    "kuBoumGaz6fTvmX6Jg+jCfkCgYEAxwUPrZ+/MEB1fvOOeLn0RwZdqcJSMgjQ0WcY\n"
    "zg0DOTKKixNl1CKaepzZzt6YiGl3jKWcMIDo2IxjJcGyz5kKq93SPs0ENMUkQgq4\n"
    "TxBMMyHUsxz1RrZgXup/rM1MYsMUdsIh8Q2hY6dIHORx4rpP1rqx43yd2Qe1nxqv\n"
    "I9elahkCgYBuhuRlWLh6CsmweKRqFZvcdQN+B2vPbPD67E464hC54xBEmEdMXusp\n"
    "U5otSu7OY7vM+ld+DmPe6C7ZWXs/pWzkxl8c5Ot90VhfBkJ/jjDndwEsAk6ImaSD\n"
    "6IP34TyYl0e2Dd3KodpTs4aQ206m4P7/mofX+z8ACgmkW2iNMDOgmQKBgGzkVgm3\n"
    "iBJMkn0doexoQkHCN+k0S2jY7fhFIotLD2JyRt+Fg4eoT0GbJIlNvcOVgTXRPz5C\n"
    "qiQh2/XCn6V6pR4YRnraDd0ZqJcB6opH7oljj09ZHtLL4rrML4NK6Op4tm+sFIoh\n"
    "3RX7Zzd3vuBA9IIWsFI50tv2necp4H4J9ZWxAoGAGUOjgZiIxBcjxUbedf2tLvZ7\n"
    "FCV+p86qyd6l5tL7rCkdCB19v9MiM79hFCRHdeRoLzP65Y+qT5q1NbXwP8UayhAn\n"
    "Z8oHbS/BaykFq/aIsE6GQIYX1J0Rd6Pb39KVlCmv7eSdFs5P57GCb3Xo+wJATy5C\n"
    "08KBUxsiZZgPvh/qHaY=\n"
    "-----END PRIVATE KEY-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_ec_keyEncipherment_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBjTCCATSgAwIBAgICEAIwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EwIBcN\n"
    "MjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTlaMB0xGzAZBgNVBAMMEmVjX2tl\n"
    "eUVuY2lwaGVybWVudDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNcXQfl9kAk1\n"
    "59FZJYL8kwq2oglZgNl6HkbbWXrz2qfPfoMJezAbqKz+KyNTz8VKM7SYy96GM8/F\n"
    "OzjSnr5FGgSjcjBwMAkGA1UdEwQCMAAwEwYDVR0lBAwwCgYIKwYBBQUHAwEwDgYD\n"
    "VR0PAQH/BAQDAgUgMB0GA1UdDgQWBBQnKjz3tfbiTcZNcXxms8zjTqE9gTAfBgNV\n"
    "HSMEGDAWgBSP7HCQhA5BGGQb2iEFOr1e0uJEKzAKBggqhkjOPQQDAgNHADBEAiAL\n"
    "Oye8RrfOkITg4N1WjiytTWu9XlUiZ/haEXEucEBsAgIgPA4muFdQR5sIJZNn8x91\n"
    "VogN2+/T2BN9IXJewcdv+s4=\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_ec_keyEncipherment_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJpV4ymnesm8LYUXq\n"
    "NFV9Frs87pcuMYOwy3ouJFiCF82hRANCAATXF0H5fZAJNefRWSWC/JMKtqIJWYDZ\n"
    "eh5G21l689qnz36DCXswG6is/isjU8/FSjO0mMvehjPPxTs40p6+RRoE\n"
    "-----END PRIVATE KEY-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_rsa_keyAgreement_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIICVjCCAf2gAwIBAgICEAMwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EwIBcN\n"
    "MjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTlaMBsxGTAXBgNVBAMMEHJzYV9r\n"
    "ZXlBZ3JlZW1lbnQwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIBAQDc/OOL\n"
    "xlA7w17+WQ3ft7/x5Fwdc+Nf8CBQaVVDgDAKg+w2LAkBeN6AUYNExdvb5gLRtwJJ\n"
    "iCDdQEvB2PJFAm4uZGHHks7GLQehuVpw0dnOuaaPHXLI3Ms+hmefFRQmabxBqx8x\n"
    "Xy1wDyoyz0fpbkc8hK3JUYG1oPZod4wXbv0yhn1w0FX8SS9iIDVQ5QZwCBmVBprE\n"
    "v02dVCnL/7YcaI9KHf11Uo7133YFseFEUStEB0fCEpEYUbGh7dNrqVMBAwmX2qQx\n"
    "zCV1gMzTVNSl0mvBg+xBFHJXSfefWLJHrw49Vjuk2aLWTeSVyIc0k2PflTBqWtEc\n"
    "7+7BZC66qrHfxXgLAgMBAAGjcjBwMAkGA1UdEwQCMAAwEwYDVR0lBAwwCgYIKwYB\n"
    "BQUHAwEwDgYDVR0PAQH/BAQDAgMIMB0GA1UdDgQWBBT9M3y+h9zdEM51ZuB5zCND\n"
    "JyOiDzAfBgNVHSMEGDAWgBSP7HCQhA5BGGQb2iEFOr1e0uJEKzAKBggqhkjOPQQD\n"
    "AgNHADBEAiBFEheXPpC9KicSoR2sLIWGVltsdytYLNMf9cZ+ohMJ0QIgIMbm1jJY\n"
    "PMDwVmOZZbKeR23gc6g4ctQ/OwJaql8H7yg=\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_rsa_keyAgreement_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDc/OOLxlA7w17+\n"
    "WQ3ft7/x5Fwdc+Nf8CBQaVVDgDAKg+w2LAkBeN6AUYNExdvb5gLRtwJJiCDdQEvB\n"
    "2PJFAm4uZGHHks7GLQehuVpw0dnOuaaPHXLI3Ms+hmefFRQmabxBqx8xXy1wDyoy\n"
    "z0fpbkc8hK3JUYG1oPZod4wXbv0yhn1w0FX8SS9iIDVQ5QZwCBmVBprEv02dVCnL\n"
    "/7YcaI9KHf11Uo7133YFseFEUStEB0fCEpEYUbGh7dNrqVMBAwmX2qQxzCV1gMzT\n"
    "VNSl0mvBg+xBFHJXSfefWLJHrw49Vjuk2aLWTeSVyIc0k2PflTBqWtEc7+7BZC66\n"
    "qrHfxXgLAgMBAAECggEAPtKpwYesMYE2FSqt9gafy512zmyunAyAsztuoNTlU2fz\n"
    "k+bq3H9HCcWigr+Y5Ce8b3AOd2b6qMtpff81yIaLWibxYTIMFGyiucgevOn7eHhw\n"
    "sEjX4+BY6zp8ZM4yP0VZ3nVOVdPP8AZvoagpsmPGXp79ZLkGHeNXiZVKvzKvSlhH\n"
    "5ZNeEtKkxrlOIKDH6gj/Z960EG2Aknpb+RdBcSz8jqLqCXnduh/7+FdSlsGHrA90\n"
    "A5Uoo41UNCMSr3pGzMNDqOqFdXb78+TmD/fW7MYhS1pO2Dd0jtHudk/QLRODxWqG\n"
    "Ud+8AijqISoKs6OuZ4fU0wlUvq1XItA8TvnpgiQbCQKBgQD/ikQMNpnQg4lpKiOn\n"
    "c1JqyYBpxmdaTh7Rtp7LahP1gT6UchpUx4GJfTgFBhbENPdWn7ufnAI95Hez466i\n"
    "/8lWbbTXpYnqR585dV29rETPbcowPQc/RYOztkf5cXEdeDQ57RrlzBkJUwC1ydAu\n"
    "7MfBhMaqC2Acz+ZxTytBcDRwxQKBgQDdYrQyDaz1L5om9qoraF4329UsQ9XeZYYh\n"
    "2258MHLxiXQg6R0rWu5yFjEh8qBE4MTHuDuYucWxXCktt7NezDMjyxoSvBjhUVj3\n"
    "wdw6fFW6GJ6C/8YtgC/Nb6ZupzngGo2/+j+gVluLvkc1Wzr/CpkMo9eDAaYqLtZr\n"
    "cOGNweQyjwKBgHE+YeeTrthz4kpDjWdguM5wG8NEVHr1kbzYFEkK6mtq6kO4ySh2\n"
    "/VXjsxau2xn6av3tbaVO6sNo4w9KQBMmDaCKn5DNYG/9a3d4JqGunRPbkLWN5g9J\n"
    "DBNxHTZS6pDnuyVMiRX7O8EhEnh9Rg/1iJSe9bdXsTEzhOkD76RhSCwNAoGBAJku\n"
    "6eZUZh/FT1G0jay5a7AU8VzOl1ZqQzR8I+fUkkQkyvDWvDM6mRDh4B9QRatDJ4XW\n"
    "KY6UxIDjdy7GFFv8yUn0B9d8xW5qnjfYsOzbCWpaDJwyJMtpDiqFHdEk7rvtQ7XZ\n"
    "j1r/Rhrcj2MQ/DJq/9mqKL3iTzqS7BStp7QxvBdrAoGBALBYtDj1s4QAk8kZ7n2E\n"
    "gXqHCvdd2/j5hSHjyS6B1lSkexyDpzDt+HS8XoZ2NMp5RZ9HjcQ+cyZUIec9GRVr\n"
    "DCZZhkn3OcTaiqSr99qbDjIK+IvNCbqIk3eyfA8mEMTySWPGas+FSrwiR8uKdQW3\n"
    "KgBZUxv+L7dB16/xzLiQlx70\n"
    "-----END PRIVATE KEY-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_ec_keyAgreement_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBijCCATGgAwIBAgICEAQwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EwIBcN\n"
    "MjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTlaMBoxGDAWBgNVBAMMD2VjX2tl\n"
    "eUFncmVlbWVudDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMV+xZ3f2OA4bwfm\n"
    "Z9J66NdRkwqZzSc+bACHF8u59pc/UFEoohqQhi38vQJHUBCPqvGjFthWpYzQysO0\n"
    "uahIEamjcjBwMAkGA1UdEwQCMAAwEwYDVR0lBAwwCgYIKwYBBQUHAwEwDgYDVR0P\n"
    "AQH/BAQDAgMIMB0GA1UdDgQWBBRKEj5LYzK8x8BCmUWEUelR+6uQ9jAfBgNVHSME\n"
    "GDAWgBSP7HCQhA5BGGQb2iEFOr1e0uJEKzAKBggqhkjOPQQDAgNHADBEAiByedLk\n"
    "EJv850dwijp0oWdtm92joclVv/Jzdw/ijsKJ4wIgbBKh6dAAlfcJcZXtmvxkB9uv\n"
    "/ed+TmH4zC7VSmCcNws=\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_ec_keyAgreement_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAmZOWc0heuQArn0f\n"
    "y7zoiHPFIqSrNCU8/2EU4KUBhrehRANCAATFfsWd39jgOG8H5mfSeujXUZMKmc0n\n"
    "PmwAhxfLufaXP1BRKKIakIYt/L0CR1AQj6rxoxbYVqWM0MrDtLmoSBGp\n"
    "-----END PRIVATE KEY-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_rsa_cRLSign_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIICUzCCAfigAwIBAgICEAUwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EwIBcN\n"
    "MjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTlaMBYxFDASBgNVBAMMC3JzYV9j\n"
    "UkxTaWduMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA2ap/HfUQ5o8N\n"
    "QHr8/ZZsyI4TULUwhgIX7nF4MeNI9mYHL9GeMt4HN4dK9/yUSt22rdOW6iTVh/ug\n"
    "TTPh0XQV3w4aQn1CFy/fd+lY76FUKTzREDDyxl+DWEXy8PX+wfRL6KsIejkadPpm\n"
    "9l+Pe1/esMlaMrlYQc9CC0KNQB/Po4AAZtapZO0C/BzZICfFfninev94p2niMXuI\n"
    "jApCfiZy99/rQ5oiryEXsEvtN/NRx3h/kHqaz5mQTYYk1jnqrafJnS2Lua9D4Ydi\n"
    "V5wqjYY6ycnYhaMeUUzeKlsVmJgp/TujHadwq+G+w0IQ28B9yPKh/yGFxifc4WNJ\n"
    "05k9/73AjwIDAQABo3IwcDAJBgNVHRMEAjAAMBMGA1UdJQQMMAoGCCsGAQUFBwMB\n"
    "MA4GA1UdDwEB/wQEAwIBAjAdBgNVHQ4EFgQUHj7FfhBrOKm122M7ILgc6JpzIl8w\n"
    "HwYDVR0jBBgwFoAUj+xwkIQOQRhkG9ohBTq9XtLiRCswCgYIKoZIzj0EAwIDSQAw\n"
    "RgIhAM/wECgqro+l4n+88AStH4yDGXeaycWGlTznMza72b1SAiEAiCk2zeJT2O3u\n"
    "HjORoFzAbx0uUcDgowgKMDHwBX6Qkps=\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_rsa_cRLSign_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDZqn8d9RDmjw1A\n"
    "evz9lmzIjhNQtTCGAhfucXgx40j2Zgcv0Z4y3gc3h0r3/JRK3bat05bqJNWH+6BN\n"
    "M+HRdBXfDhpCfUIXL9936VjvoVQpPNEQMPLGX4NYRfLw9f7B9Evoqwh6ORp0+mb2\n"
    "X497X96wyVoyuVhBz0ILQo1AH8+jgABm1qlk7QL8HNkgJ8V+eKd6/3inaeIxe4iM\n"
    "CkJ+JnL33+tDmiKvIRewS+0381HHeH+QeprPmZBNhiTWOeqtp8mdLYu5r0Phh2JX\n"
    "nCqNhjrJydiFox5RTN4qWxWYmCn9O6Mdp3Cr4b7DQhDbwH3I8qH/IYXGJ9zhY0nT\n"
    "mT3/vcCPAgMBAAECggEAQjzbrRqgF4Ft13L13RezJ/7wSs2wo/8sGDAokwnm8LCQ\n"
    "vFEOUs11JcVCn5+Z4wSAbHpowP0Pi++bUxMYQ5yPcU8B17z1aUf0ubFlkpqmGVx8\n"
    "BHDY2FxFhI3YxdIeQhidJwMxM7x/3Bw9S/k9mR5ODr9fdvMnM/Ol1fZdNKfZkJe6\n"
    "EC62x3nY4H1mU03sr+VY8so0Sm6auKXrLoZN+usUYaM3z7Y+KyaCrKV+WgfnNNtw\n"
    "Cjax72q1Xe+0yWz+iGjGU2d4z6Y7riG8m7DfIOke18UZcgXlY681kGAxp8Uuk+Qk\n"
    "AQXsJ6k1Bdu20iXw9KRFrEJ5S8E4jPtX7FpSv7YsbQKBgQDyHXRe1GOoPTfk3ou0\n"
    "2DiGt1y/C7ZuTYz2oG4zX/DHTqyP9D8T5Re8KM8O54asANhMv/1oJb236IFwUWRH\n"
    "nL3HeXNIuYLrrOqiIJKCURTerZ7AhYppxKXzHFgGNomgFC7ybgKpw2EpU61dvWkj\n"
    "7Ppb3ieeXKgGmx75pAQd5J9edQKBgQDmJhmUrB0WwrC5ynkbB6OHD5/V+X81Bycf\n"
    "UaUt3Uobw36SSDy/GL1ja+nPTumyBLGUgl73csoTheJ7Fnb4Vq6Aun35NBUemR1p\n"
    "ezYciRJ1Q5vGLI6TS8oECHNWpoIcqPSPMbbmRcW3rP4vj7oa/797dowYbkzG3/Gm\n"
    "H0O0JWbKcwKBgCs5PvE/EZuTcksVv/NFNrI2QgSJXsRKbAQLmCDr29x5Gy2H+Urf\n"
    "92DMGEsc4loKvJLXI7JYKoqOo60dmr1+KhNWh1JQbCMO98SB9CX3u7YVYOYV8SP4\n"
    "y3efc8eILQG7GLaHFUqhatMp8SVvDzousHN+Max/9i9XuivvMBz2F82RAoGAQmSX\n"
    "WJZWReygQtiwGyYW/K17NKUnF0sa9CP/fL2r1VqONvDz5UTjzbyh1JY1QI+uEuOR\n"
    "Nd09gmhLL6sJYxbOfIBQOwXVWeBd5cIPmCfK1V1NoNvVvZRNkOBHNaYPPulWs8Bp\n"
    "vQA/y37yTRIvY/6HZLyMKbgYGf8cnQnD5EIt5xUCgYEAjU8aIRzCcoKAlCH8tif3\n"
    "44L7MMGBGMnWVm7SADajI7Wo+KdNAI0Ms/ueVu9DYk/0gnigu46DvHgvnGNAEtDN\n"
    "Iy/q+rpnIVLn4U9ADjNSg7CjpXjLRjvXZ/5iMsRY0EpQ7u3JHj3DVc38y9ByTR9t\n"
    "jFRyIv4Nnv3Pv9Mp2DFgDqI=\n"
    "-----END PRIVATE KEY-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_ec_cRLSign_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBhjCCASygAwIBAgICEAYwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EwIBcN\n"
    "MjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTlaMBUxEzARBgNVBAMMCmVjX2NS\n"
    "TFNpZ24wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARIUw1TmjEcAw3BiWWx2ryX\n"
    "Hgk+Z0p5jqUe5QROpaDhcTpKb0n4cSVptljBkzYj8LK42JinHrTNF9aA5amdbAa+\n"
    "o3IwcDAJBgNVHRMEAjAAMBMGA1UdJQQMMAoGCCsGAQUFBwMBMA4GA1UdDwEB/wQE\n"
    "AwIBAjAdBgNVHQ4EFgQUOzanv/IWjPJpVolGSd3Gv0hoefwwHwYDVR0jBBgwFoAU\n"
    "j+xwkIQOQRhkG9ohBTq9XtLiRCswCgYIKoZIzj0EAwIDSAAwRQIhAJSW/332Kfia\n"
    "aqENpmnKjL8LeLq9WwnIL8NVWVwNw4KhAiBVbXbkB4T6z85dluMi5Y5g1zzkOHt3\n"
    "er4bmSR5LRrYUA==\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_ec_cRLSign_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgw/wjpy/6UKgdOndo\n"
    "QZbz4b6Y2n4qdj/dHKDpZwiZCvmhRANCAARIUw1TmjEcAw3BiWWx2ryXHgk+Z0p5\n"
    "jqUe5QROpaDhcTpKb0n4cSVptljBkzYj8LK42JinHrTNF9aA5amdbAa+\n"
    "-----END PRIVATE KEY-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_client_keyAgreement_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBjzCCATWgAwIBAgICEAcwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EwIBcN\n"
    "MjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTlaMB4xHDAaBgNVBAMME2NsaWVu\n"
    "dF9rZXlBZ3JlZW1lbnQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQsa4IlGN9G\n"
    "1tZtfR6S5bWH1Qc3GCXHK0G2af/AnxHKgrqwnH+c8FtuECNzJD48JRCvPaAUZCNj\n"
    "pvwRR3naxTLUo3IwcDAJBgNVHRMEAjAAMBMGA1UdJQQMMAoGCCsGAQUFBwMCMA4G\n"
    "A1UdDwEB/wQEAwIDCDAdBgNVHQ4EFgQUaGqkq5e31wRUTpUPOPnFOVXw7JUwHwYD\n"
    "VR0jBBgwFoAUj+xwkIQOQRhkG9ohBTq9XtLiRCswCgYIKoZIzj0EAwIDSAAwRQIg\n"
    "YOo8ATcBurpqYgX2CpxpzwmXzW/sfJg4pDp2J4+PnPkCIQDvZ/iCBA5dDHJ6ANir\n"
    "AORFbK3q0tNRXlxkMtN/GPXgQw==\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_client_keyAgreement_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgSwA7EYAlKl62VVHU\n"
    "r6E0IdiV/X6mYW4El36qcVPvamahRANCAAQsa4IlGN9G1tZtfR6S5bWH1Qc3GCXH\n"
    "K0G2af/AnxHKgrqwnH+c8FtuECNzJD48JRCvPaAUZCNjpvwRR3naxTLU\n"
    "-----END PRIVATE KEY-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_client_keyEncipherment_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBkjCCATigAwIBAgICEAgwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EwIBcN\n"
    "MjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTlaMCExHzAdBgNVBAMMFmNsaWVu\n"
    "dF9rZXlFbmNpcGhlcm1lbnQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASTYkQi\n"
    "pGF0ysEnXEoCm96HjGaHsvtSCVjPE0uzFx2DK6QjHc0MJRe0mIB/XywxDQT/FjaL\n"
    "H22fiDO12ex9MtuPo3IwcDAJBgNVHRMEAjAAMBMGA1UdJQQMMAoGCCsGAQUFBwMC\n"
    "MA4GA1UdDwEB/wQEAwIFIDAdBgNVHQ4EFgQUPuqJv1TA/HBpyyvuMMBWNHoBBlow\n"
    "HwYDVR0jBBgwFoAUj+xwkIQOQRhkG9ohBTq9XtLiRCswCgYIKoZIzj0EAwIDSAAw\n"
    "RQIhAPQF/AWCWRw9PhuupV/fdWPIUvg5jBWyAFsi0/h9yLRJAiBgTbVFkVoHJKLu\n"
    "5y2Afkw6WsdzG7IBcaHse2s0ivC/Ug==\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_client_keyEncipherment_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgE1GnVMDOeLQxVBRs\n"
    "buickdUyvpFIyfp7RIxWGblqHBKhRANCAASTYkQipGF0ysEnXEoCm96HjGaHsvtS\n"
    "CVjPE0uzFx2DK6QjHc0MJRe0mIB/XywxDQT/FjaLH22fiDO12ex9MtuP\n"
    "-----END PRIVATE KEY-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_name_constraints_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBgzCCASmgAwIBAgICEAkwCgYIKoZIzj0EAwIwGzEZMBcGA1UEAwwQbmFtZV9j\n"
    "b25zdHJhaW50czAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MTIzMTIzNTk1OVowGzEZ\n"
    "MBcGA1UEAwwQbmFtZV9jb25zdHJhaW50czBZMBMGByqGSM49AgEGCCqGSM49AwEH\n"
    "A0IABJRI/9ohKZW8SnUemxP3hCJEubsPNNNZRjacj8bIeb/tKjbQMgZP1HwUsn8p\n"
    "7Ted+76Nm7zCRRIgB9YMJkHo9ZCjWzBZMA8GA1UdEwEB/wQFMAMBAf8wCwYDVR0P\n"
    "BAQDAgEGMBoGA1UdHgEB/wQQMA6gDDAKggguZXhhbXBsZTAdBgNVHQ4EFgQUXtPV\n"
    "1DA0vnx/f341depK+v3IeNMwCgYIKoZIzj0EAwIDSAAwRQIhANqdsR5ulfTreQls\n"
    "5A3vR7Lyw6vZfgBl+pL21sjIY6RFAiALMbsgiemSjagwuQd20rRUA+1PnIdEMF/k\n"
    "jsU1nv+cWQ==\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_of_name_constraints_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBnDCCAUOgAwIBAgICEAowCgYIKoZIzj0EAwIwGzEZMBcGA1UEAwwQbmFtZV9j\n"
    "b25zdHJhaW50czAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MTIzMTIzNTk1OVowHjEc\n"
    "MBoGA1UEAwwTb2ZfbmFtZV9jb25zdHJhaW50czBZMBMGByqGSM49AgEGCCqGSM49\n"
    "AwEHA0IABCkFvBQOc9zZ6M0JGDYrTl4QymvMXWvkhyuTBMDP8GRYuNwynp8O+Pdo\n"
    "LzIXQWi3E9qGu7cq0NVoKDMUA5r/QVKjcjBwMAkGA1UdEwQCMAAwEwYDVR0lBAww\n"
    "CgYIKwYBBQUHAwEwDgYDVR0PAQH/BAQDAgeAMB0GA1UdDgQWBBRyVk5XGUQ1OC9W\n"
    "BOF6xHN4RbrMXzAfBgNVHSMEGDAWgBRe09XUMDS+fH9/fjV16kr6/ch40zAKBggq\n"
    "hkjOPQQDAgNHADBEAiBo3l+6dargDxflPw+A9zuxJzhxc7SUEAj4Iwuqag2howIg\n"
    "bAQ0jlB6O8bpy/tLZuHOKSxzd8QiQKAPKAabHf56XX0=\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_of_name_constraints_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjLZ4EvOWGm3oiQQr\n"
    "azrEkIYNpt3px4PjntYeJI9L56OhRANCAAQpBbwUDnPc2ejNCRg2K05eEMprzF1r\n"
    "5IcrkwTAz/BkWLjcMp6fDvj3aC8yF0FotxPahru3KtDVaCgzFAOa/0FS\n"
    "-----END PRIVATE KEY-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_policy_constraints_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBezCCASKgAwIBAgICEAswCgYIKoZIzj0EAwIwHTEbMBkGA1UEAwwScG9saWN5\n"
    "X2NvbnN0cmFpbnRzMCAXDTIwMDEwMTAwMDAwMFoYDzIwOTkxMjMxMjM1OTU5WjAd\n"
    "MRswGQYDVQQDDBJwb2xpY3lfY29uc3RyYWludHMwWTATBgcqhkjOPQIBBggqhkjO\n"
    "PQMBBwNCAAS5bdy7fV6A2hq8q0KWpZAcwQ+U0EaEniqL3Vme8BuUwwwxOX7Gy/Ay\n"
    "muRSWTATWxs/z06nIKJSwwvqu+5Lsm92o1AwTjAPBgNVHRMBAf8EBTADAQH/MAsG\n"
    "A1UdDwQEAwIBBjAPBgNVHSQBAf8EBTADgAEDMB0GA1UdDgQWBBR4oo9rRg+jihlT\n"
    "NsdvmLcg2VpnjzAKBggqhkjOPQQDAgNHADBEAiAb1PgaOIoEkRxGo3Q9PwoPuM9e\n"
    "k6skpRqdN/miJ4ymnQIgRepY8J7DxsvhxVgYnu9AhSd9t5GKHNKOzuymj4DChAo=\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_of_policy_constraints_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBoTCCAUegAwIBAgICEAwwCgYIKoZIzj0EAwIwHTEbMBkGA1UEAwwScG9saWN5\n"
    "X2NvbnN0cmFpbnRzMCAXDTIwMDEwMTAwMDAwMFoYDzIwOTkxMjMxMjM1OTU5WjAg\n"
    "MR4wHAYDVQQDDBVvZl9wb2xpY3lfY29uc3RyYWludHMwWTATBgcqhkjOPQIBBggq\n"
    "hkjOPQMBBwNCAASUkYcCUz+J/cHhNdHbcatyHQ3q5IonukLu7hki25eOxkZLMwef\n"
    "5dVnwm6ofX7as3tRaGfHeDM+8YIAU1XiN0YUo3IwcDAJBgNVHRMEAjAAMBMGA1Ud\n"
    "JQQMMAoGCCsGAQUFBwMBMA4GA1UdDwEB/wQEAwIHgDAdBgNVHQ4EFgQU33uPGxvi\n"
    "ih3jTGhYRZtPPmOP7xowHwYDVR0jBBgwFoAUeKKPa0YPo4oZUzbHb5i3INlaZ48w\n"
    "CgYIKoZIzj0EAwIDSAAwRQIhAO5X45sQJuMvm/DP3Rkk6dSEFrkhGTqgB2GMFD3C\n"
    "cWvVAiBDKf5L9wuCSJgXeWFShoQKZ+bM5EIsW/MeX9KW+cPxGg==\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_of_policy_constraints_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgc6DXNT/dO1Zj654j\n"
    "qso6BPKKhLihN5IWXFHrMRWPYK2hRANCAASUkYcCUz+J/cHhNdHbcatyHQ3q5Ion\n"
    "ukLu7hki25eOxkZLMwef5dVnwm6ofX7as3tRaGfHeDM+8YIAU1XiN0YU\n"
    "-----END PRIVATE KEY-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_inhibit_any_policy_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBejCCASCgAwIBAgICEA0wCgYIKoZIzj0EAwIwHTEbMBkGA1UEAwwSaW5oaWJp\n"
    "dF9hbnlfcG9saWN5MCAXDTIwMDEwMTAwMDAwMFoYDzIwOTkxMjMxMjM1OTU5WjAd\n"
    "MRswGQYDVQQDDBJpbmhpYml0X2FueV9wb2xpY3kwWTATBgcqhkjOPQIBBggqhkjO\n"
    "PQMBBwNCAATaqZ7imgb4hPcvybnSxnakzJIf+qZmuf59KqPJY81FQGnm/NLRYDDH\n"
    "Uv9yYZ+r5y/ODPGHBDruByI98QXiQx86o04wTDAPBgNVHRMBAf8EBTADAQH/MAsG\n"
    "A1UdDwQEAwIBBjANBgNVHTYBAf8EAwIBAjAdBgNVHQ4EFgQUtQBYRr5wvhQIR7dJ\n"
    "6GdEzzdW7rkwCgYIKoZIzj0EAwIDSAAwRQIhAJMPqe9mOINnMhb6UwXjwBcVkjfh\n"
    "CI8rpMwru0IxS1KcAiAMuPZTXkMEM8i7i6Q4nTLaaGyL88yrb6c72RmlET/QKA==\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_of_inhibit_any_policy_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBojCCAUegAwIBAgICEA4wCgYIKoZIzj0EAwIwHTEbMBkGA1UEAwwSaW5oaWJp\n"
    "dF9hbnlfcG9saWN5MCAXDTIwMDEwMTAwMDAwMFoYDzIwOTkxMjMxMjM1OTU5WjAg\n"
    "MR4wHAYDVQQDDBVvZl9pbmhpYml0X2FueV9wb2xpY3kwWTATBgcqhkjOPQIBBggq\n"
    "hkjOPQMBBwNCAARTK4dnR0mnW1zWUN1wfFGXmZT5yixAeDuD1cWq5Ji9x5Dw+HXJ\n"
    "1QiT00ypTJJIL7RMKZY1oa0y1AaZ890aklsUo3IwcDAJBgNVHRMEAjAAMBMGA1Ud\n"
    "JQQMMAoGCCsGAQUFBwMBMA4GA1UdDwEB/wQEAwIHgDAdBgNVHQ4EFgQUobWkOEk3\n"
    "difyBvjNrdT2ZFAUeuIwHwYDVR0jBBgwFoAUtQBYRr5wvhQIR7dJ6GdEzzdW7rkw\n"
    "CgYIKoZIzj0EAwIDSQAwRgIhALG8CerM0A7UeIINc25vF068556kOTIqgx8IoXGz\n"
    "saqGAiEAl0tImfhhanXvm7ySXzkW84icEXjCOEJU8df/ieIEhQQ=\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_of_inhibit_any_policy_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgd90cp8LmlRDxvoAq\n"
    "65dezTGVHbnC5/D+hhMVOmWUzWGhRANCAARTK4dnR0mnW1zWUN1wfFGXmZT5yixA\n"
    "eDuD1cWq5Ji9x5Dw+HXJ1QiT00ypTJJIL7RMKZY1oa0y1AaZ890aklsU\n"
    "-----END PRIVATE KEY-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_policies_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBcTCCARigAwIBAgICEA8wCgYIKoZIzj0EAwIwEzERMA8GA1UEAwwIcG9saWNp\n"
    "ZXMwIBcNMjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTlaMBMxETAPBgNVBAMM\n"
    "CHBvbGljaWVzMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEjkL+3uzRj+QdVtAY\n"
    "l5p8ylxOVwcumLappY8GEM/9xQIrKpMDNQmmzmGQhX67zgE597fPLbznBVJlJP36\n"
    "zDh5A6NaMFgwDwYDVR0TAQH/BAUwAwEB/zALBgNVHQ8EBAMCAQYwGQYDVR0gAQH/\n"
    "BA8wDTALBgkrBgEEAYaNHwEwHQYDVR0OBBYEFIIRin6KrU4FlwIw2DmW7nQ5Zmm4\n"
    "MAoGCCqGSM49BAMCA0cAMEQCIFlluRMUgKBgzTgjbvn9/Y7LOh7tjp9uQrjpV7Ws\n"
    "0TTEAiARKZqxVd4JNUzQHMNvjn8xLE1mNqfhi4sxfaEnmuP08A==\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_of_policies_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBjTCCATOgAwIBAgICEBAwCgYIKoZIzj0EAwIwEzERMA8GA1UEAwwIcG9saWNp\n"
    "ZXMwIBcNMjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTlaMBYxFDASBgNVBAMM\n"
    "C29mX3BvbGljaWVzMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEm7ZMsEG9zASp\n"
    "1p4p9gyAlpVekzUbUsDoJGby0zdD8lmhzXaQE2rFjont3+70d+swOU6s+DUDoLqP\n"
    "nbMUzpWgtKNyMHAwCQYDVR0TBAIwADATBgNVHSUEDDAKBggrBgEFBQcDATAOBgNV\n"
    "HQ8BAf8EBAMCB4AwHQYDVR0OBBYEFHX/oWatBIrmp9geAGFzayIr0sZRMB8GA1Ud\n"
    "IwQYMBaAFIIRin6KrU4FlwIw2DmW7nQ5Zmm4MAoGCCqGSM49BAMCA0gAMEUCIQCZ\n"
    "JyLt92P1S0HcKP5BkmstHRwWNky5q9A43BQzfA14AwIgfWGP6Q9l+xA69ogCSow9\n"
    "etzE6gYWXwZv1mR2ZmA2uGw=\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_of_policies_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgSltkkYC4tYkv0Wfi\n"
    "UQQyiLBUB7ryrXwYnbkLBxbfDwOhRANCAASbtkywQb3MBKnWnin2DICWlV6TNRtS\n"
    "wOgkZvLTN0PyWaHNdpATasWOie3f7vR36zA5Tqz4NQOguo+dsxTOlaC0\n"
    "-----END PRIVATE KEY-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_no_basic_constraints_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBXjCCAQSgAwIBAgICEBEwCgYIKoZIzj0EAwIwHzEdMBsGA1UEAwwUbm9fYmFz\n"
    "aWNfY29uc3RyYWludHMwIBcNMjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTla\n"
    "MB8xHTAbBgNVBAMMFG5vX2Jhc2ljX2NvbnN0cmFpbnRzMFkwEwYHKoZIzj0CAQYI\n"
    "KoZIzj0DAQcDQgAEnHUd0VuuOkC1Hd/3BWZD6ve+rvkzQIGIQDglcBNbDCUhnitu\n"
    "MiDmgmGzjs7QfExANCcYM0Ap4/AH6+k8/TbHNaMuMCwwCwYDVR0PBAQDAgEGMB0G\n"
    "A1UdDgQWBBQCLuVV7Qx/9lmIjMEtpCAIQpOmezAKBggqhkjOPQQDAgNIADBFAiAx\n"
    "7HTUamd6Gioxn4pdXT1KnxGW8aO4cm8YpoDdH7GbdAIhAO1xnPN15CT7IWZWwAiW\n"
    "YzPf+1YVKcFdeUUZNR72bORg\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_of_no_basic_constraints_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBpTCCAUugAwIBAgICEBIwCgYIKoZIzj0EAwIwHzEdMBsGA1UEAwwUbm9fYmFz\n"
    "aWNfY29uc3RyYWludHMwIBcNMjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTla\n"
    "MCIxIDAeBgNVBAMMF29mX25vX2Jhc2ljX2NvbnN0cmFpbnRzMFkwEwYHKoZIzj0C\n"
    "AQYIKoZIzj0DAQcDQgAEpDXwphhLKBsgS1fzuhISKq/XVFZT2Qdk6T68B9rlXPcz\n"
    "d72Nc2ZiwPIqzAQRuQxYByyJ96baHUcjCa/s9klXgqNyMHAwCQYDVR0TBAIwADAT\n"
    "BgNVHSUEDDAKBggrBgEFBQcDATAOBgNVHQ8BAf8EBAMCB4AwHQYDVR0OBBYEFIlz\n"
    "Vq9jkQ8rbQmvBj+tmQtFwi9gMB8GA1UdIwQYMBaAFAIu5VXtDH/2WYiMwS2kIAhC\n"
    "k6Z7MAoGCCqGSM49BAMCA0gAMEUCIQCpaACpCG9sW8o0ORAI9Zr8XsLDEQrVQB4L\n"
    "Bf3R6RfnSAIgeRGwDBf2LBFlvEqeRJNSV9GwY07M5Wh4xjn3saOjMxA=\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_of_no_basic_constraints_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrC3OdUsfovkcZFDI\n"
    "S2fkVsRU9iv7rO1Xr2pa0ivwoYihRANCAASkNfCmGEsoGyBLV/O6EhIqr9dUVlPZ\n"
    "B2TpPrwH2uVc9zN3vY1zZmLA8irMBBG5DFgHLIn3ptodRyMJr+z2SVeC\n"
    "-----END PRIVATE KEY-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_no_usage_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBODCB36ADAgECAgIQEzAKBggqhkjOPQQDAjATMREwDwYDVQQDDAhub191c2Fn\n"
    "ZTAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MTIzMTIzNTk1OVowEzERMA8GA1UEAwwI\n"
    "bm9fdXNhZ2UwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASLq4qhqXuiHA7ILnAn\n"
    "C4hTwTVEeTd0SZ2g7JRH46ZgG7qTfClSQCj1Vg2fiAEkTu5vCPVjaZU9IY9HZIrB\n"
    "YKGuoyEwHzAdBgNVHQ4EFgQU1i4dEGi0BmUPE4tuNHKKk60/P98wCgYIKoZIzj0E\n"
    "AwIDSAAwRQIgXoaFSYYrf+ZPTK/nVEiJvE+NB1WRVllHGyNVPUfD1+QCIQC63CoP\n"
    "WX9uy+fanP/g1aYW7weUPqvR0rbUXPbt04jwZQ==\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_of_no_usage_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBjDCCATOgAwIBAgICEBQwCgYIKoZIzj0EAwIwEzERMA8GA1UEAwwIbm9fdXNh\n"
    "Z2UwIBcNMjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTlaMBYxFDASBgNVBAMM\n"
    "C29mX25vX3VzYWdlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE0gaoCEm9GUI4\n"
    "Bfn8RVsuM7leCHibXRfhrugFzS9Hh28Z3yYd33Nj3eZdvXuCQo446SGRV71WBtda\n"
    "jPQQ64yY8qNyMHAwCQYDVR0TBAIwADATBgNVHSUEDDAKBggrBgEFBQcDATAOBgNV\n"
    "HQ8BAf8EBAMCB4AwHQYDVR0OBBYEFLvmnZ5DXFqtfVzkTrpF5/DGPWtyMB8GA1Ud\n"
    "IwQYMBaAFNYuHRBotAZlDxOLbjRyipOtPz/fMAoGCCqGSM49BAMCA0cAMEQCIC5J\n"
    "cg1N+aYUahN5K8xN1KYVBTP1K4VV+TNJXX/GtYAaAiBPwKimdo5AfuVj70uEMsHP\n"
    "I5Bvglj7qLVbiH3Z1YWOWQ==\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_of_no_usage_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgvjMj4R8Yj+SUhqIf\n"
    "KLBTKty/z0SFDJLQm9L/3c/RAbihRANCAATSBqgISb0ZQjgF+fxFWy4zuV4IeJtd\n"
    "F+Gu6AXNL0eHbxnfJh3fc2Pd5l29e4JCjjjpIZFXvVYG11qM9BDrjJjy\n"
    "-----END PRIVATE KEY-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_ED25519_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBUzCB+qADAgECAgIQFTAKBggqhkjOPQQDAjANMQswCQYDVQQDDAJjYTAgFw0y\n"
    "MDAxMDEwMDAwMDBaGA8yMDk5MTIzMTIzNTk1OVowEjEQMA4GA1UEAwwHRUQyNTUx\n"
    "OTAqMAUGAytlcAMhAFtvYRm4suN4Hc06LDBgtAGpgqwScZINeFN8y8tc14Dyo3Iw\n"
    "cDAJBgNVHRMEAjAAMBMGA1UdJQQMMAoGCCsGAQUFBwMCMA4GA1UdDwEB/wQEAwIH\n"
    "gDAdBgNVHQ4EFgQU9Gueetf1F4aikPI862n+zEoFtuwwHwYDVR0jBBgwFoAUj+xw\n"
    "kIQOQRhkG9ohBTq9XtLiRCswCgYIKoZIzj0EAwIDSAAwRQIhAIeUoiC7Hjg6oeat\n"
    "lAQqn8Qyqiegtt1ZcPujHVNOAlcPAiA6cBdzmjJ9CqGIydNK3oEDf5/foyKhhjox\n"
    "3N5HTJpAxw==\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_ED25519_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEICi4bcu+2gCrgmfqzIlfst2nKSWe9wTuclTJ2AKgjb4a\n"
    "-----END PRIVATE KEY-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_ED448_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBazCCARGgAwIBAgICEBYwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EwIBcN\n"
    "MjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTlaMBAxDjAMBgNVBAMMBUVENDQ4\n"
    "MEMwBQYDK2VxAzoAS4e8hHPVmK9vlDjpaUC59C3mj0M7OM/JHW57Oxw/qqvwc+jU\n"
    "dPbRfgiEi8fOUqjXvjPtA55OX9wAo3IwcDAJBgNVHRMEAjAAMBMGA1UdJQQMMAoG\n"
    "CCsGAQUFBwMCMA4GA1UdDwEB/wQEAwIHgDAdBgNVHQ4EFgQUI8USkxxK7y+envKn\n"
    "Dpkl3oFCTXQwHwYDVR0jBBgwFoAUj+xwkIQOQRhkG9ohBTq9XtLiRCswCgYIKoZI\n"
    "zj0EAwIDSAAwRQIhANlpuzfOXPPDmTt15ujjuy2/7P6bF0PMT0cV2PUrwkSDAiAw\n"
    "Gpc8COlzdC8tDygf3DoNVpYooplvxZQZP91EErZXPQ==\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_ED448_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MEcCAQAwBQYDK2VxBDsEOb+CwEKcZHffwH43S7f5Y3ly0xji/WPRlHByEZ31nkFN\n"
    "cDv+G8sto4+bEAhUTdEuUTxNH1yzxVSx4Q==\n"
    "-----END PRIVATE KEY-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_RSA_PSS_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIICSzCCAfKgAwIBAgICEBcwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EwIBcN\n"
    "MjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTlaMBIxEDAOBgNVBAMMB1JTQV9Q\n"
    "U1MwggEgMAsGCSqGSIb3DQEBCgOCAQ8AMIIBCgKCAQEA1Tk4N/82pje3bYT8T4md\n"
    "CJNZKsJ3DvP7sf/vMaKvhJT/PPDUuFC30vOffVvtfspNgT402bkOvAiplJThld6P\n"
    "kX1iSlrBSH+VxaCjOC2i3kLOIdiIwFC6hXfbv7cNzXmovXlia1sbTEIN+V2YQ8ol\n"
    "bzVdjcvZmah5yYnnEUgiIfTVn+m+4Ean4G6zscK4vdD1LIGnFztdUEE/ar72Rb+F\n"
    "SL/drioujk7okwCapxIwx0a35jnUQhFFFVyVmpiS7k7vPBEAYzfV3DbHNsUe82eK\n"
    "eU36V2ON5QVMzoMfu/OsgqRA2K2Nr01u61sFUYO+7C7cBBVhXuK5mkGSpWeqJHFk\n"
    "cwIDAQABo3IwcDAJBgNVHRMEAjAAMBMGA1UdJQQMMAoGCCsGAQUFBwMCMA4GA1Ud\n"
    "DwEB/wQEAwIHgDAdBgNVHQ4EFgQUaqm0JY8LtiBRVyNpDU8NAJMg+rwwHwYDVR0j\n"
    "BBgwFoAUj+xwkIQOQRhkG9ohBTq9XtLiRCswCgYIKoZIzj0EAwIDRwAwRAIgI0zV\n"
    "r6lJvnZeugX44hi3LucWlJS74QN6sA4oxby3qAkCIDZ0lJ5QHjFDowhcfsotS18U\n"
    "4UYIkfKcZYSjWIUhXky3\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_RSA_PSS_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEuwIBADALBgkqhkiG9w0BAQoEggSnMIIEowIBAAKCAQEA1Tk4N/82pje3bYT8\n"
    "T4mdCJNZKsJ3DvP7sf/vMaKvhJT/PPDUuFC30vOffVvtfspNgT402bkOvAiplJTh\n"
    "ld6PkX1iSlrBSH+VxaCjOC2i3kLOIdiIwFC6hXfbv7cNzXmovXlia1sbTEIN+V2Y\n"
    "Q8olbzVdjcvZmah5yYnnEUgiIfTVn+m+4Ean4G6zscK4vdD1LIGnFztdUEE/ar72\n"
    "Rb+FSL/drioujk7okwCapxIwx0a35jnUQhFFFVyVmpiS7k7vPBEAYzfV3DbHNsUe\n"
    "82eKeU36V2ON5QVMzoMfu/OsgqRA2K2Nr01u61sFUYO+7C7cBBVhXuK5mkGSpWeq\n"
    "JHFkcwIDAQABAoIBAGEDlFcyGTDel+hOQiiEQf1FYaQpb9dPXn06KCBK15Y43rrh\n"
    "DsBABauHKlF00qXGMSZ1YcGQSCp4vIO8i7lPVr5JMMAI8/ljB4ewU6M7bGe5OKXA\n"
    "qlPqRztz8fmUNcUALizrfkK/ZLe5NDd6BM4POyISw1rBXePiemsfAhHkYpdUxIOd\n"
    "Z+UP18krLIn9dNRnl449HflwSyCEp2jeAlOcCOzuBs6/W+0VLbgEd0UzvzxdvGpX\n"
    "GOSeITyFnrtPXWgW/eXDoqU54TA0k5X5Qv9LxY+i6ZbbSYJNjRfc0gyKaNycNNkO\n"
    "fOBlIcVmmO7grAhYUt9lNbgGKEoLnU1B2VzW6/0CgYEA61XhavE01DHoJGZOarP9\n"
    "tkAtKWuMLkmtWyX0ByfhVdoxZ6pzQaGqwwdSDRHYXPcwtngjgePi5csMmUsqmUBq\n"
    "StdEscr2psT2BUcSvh4YgO37XvLn/QZPL9PqDY6bmFYQgpgaNB8FHI2cfh+Ytdxw\n"
    "cyPu8U8goCdjGLAA1NmrqHcCgYEA5/JIezLqwbDyb6x8MSQ78YzB3Y8gnJ0yAd3E\n"
    "DSE4vhFinSyDv0bn50H+K6C2fHGePi3EJmwdZoAn/kJ9ogukEoplodfR3R0Vmeca\n"
    "r29qmOSyE94K6lYaG1XnL1RhtCgAJliwUTCOfxCs5TeCsNSa+NphUIe2dICcULdO\n"
    "sdQ4XuUCgYByvjLkg6rwc0zuwnslh5EC1ZOviGKXBxFhScYL3yP9Sh+gnfkIXRz3\n"
    "bpBREwxdd6DmtvkJEeXFiRUhgQbKJiAtUXyK+5z7fzk9JYQ78kycQGy5xNHcCsF9\n"
    "XmPWLFwtEHmIU0UjeKRzYZCV5i39LfgeC70rJxuPOuUUWmxtW5xYzQKBgQCWfSsr\n"
    "y+BmpUDW1emKFMFTuoi6ELgPBSrB7Tnbbvea0jrSUWR1gTLLZ5Tah55+5VTPcPA4\n"
    "IaN9sp7AKDHNJpJgeSzxsc53EPzH6xr0Qmy+IHutyj34xr6Ph8/EdJIjymQ2fQqA\n"
    "0ulRZedXnQmNY5Pc7AuBrVvjAOLqt9Q2KsQcRQKBgG/rv4EkWoHh+pui4H9EZfi1\n"
    "c3b01aUaf/t5+axgu7xCthjZ/0In586t1It+S/nmk7fpvYxNXoW5vc9qdyjslwoH\n"
    "38KRAWx9YihHtCNYP05P+ZoPw36v7q4TgjjVNDPR/b9nhPalFNW1BONBF+iL0WWY\n"
    "pXpwJbJndxY3gNVJ9/UL\n"
    "-----END PRIVATE KEY-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_middle0_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBcTCCARegAwIBAgICEBgwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EwIBcN\n"
    "MjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTlaMBIxEDAOBgNVBAMMB21pZGRs\n"
    "ZTAwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATPeVeYNSbQsKluVnswCjARkvbV\n"
    "qK30n3zagRiulUBGvzNXoGX4/U+plDDEzTf1fX0o5ECra0Ta36ECw9BhmoOuo2Aw\n"
    "XjAPBgNVHRMBAf8EBTADAQH/MAsGA1UdDwQEAwIBBjAdBgNVHQ4EFgQU+W3uA18Z\n"
    "B+pj5CYcst4wUltyttowHwYDVR0jBBgwFoAUj+xwkIQOQRhkG9ohBTq9XtLiRCsw\n"
    "CgYIKoZIzj0EAwIDSAAwRQIhAJ1sUni6OJdSPc7CKNyQVyvCG7QV6J8yiICcc6WM\n"
    "TYyKAiAMUsBPVWPTb9t2cFIazh36buj31aBWQ+NiXq3idx2yKQ==\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_middle1_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBdzCCARygAwIBAgICEBkwCgYIKoZIzj0EAwIwEjEQMA4GA1UEAwwHbWlkZGxl\n"
    "MDAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MTIzMTIzNTk1OVowEjEQMA4GA1UEAwwH\n"
    "bWlkZGxlMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABBec/hRw8JoERCnuV/AR\n"
    "hTCpQOgzdK+z/WgR2Ri89MkLrPxlUczF0C1t71xdavGNoUmkuvvV4To091MEb1BV\n"
    "SZSjYDBeMA8GA1UdEwEB/wQFMAMBAf8wCwYDVR0PBAQDAgEGMB0GA1UdDgQWBBRb\n"
    "StAlReSsiqHYkrk4pCQ6NWy/TTAfBgNVHSMEGDAWgBT5be4DXxkH6mPkJhyy3jBS\n"
    "W3K22jAKBggqhkjOPQQDAgNJADBGAiEAmo1wqdCjtzqqkZM3aVFglyoXFanviSK7\n"
    "0w2xIEfls+ECIQDH4VXqzCP6Fyqw4c4PGP1Zkxjx0WRakuOCkyDXnaKJoA==\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_middle2_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBdjCCARygAwIBAgICEBowCgYIKoZIzj0EAwIwEjEQMA4GA1UEAwwHbWlkZGxl\n"
    "MTAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MTIzMTIzNTk1OVowEjEQMA4GA1UEAwwH\n"
    "bWlkZGxlMjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLEwqRl5LV2qQ80AqDaF\n"
    "fdNMcYJeYtNGlDihGoeEi1MoA3iNAmGKj14b7PGqPb2BTfB5j1PVtauaW4WxuKKV\n"
    "ViajYDBeMA8GA1UdEwEB/wQFMAMBAf8wCwYDVR0PBAQDAgEGMB0GA1UdDgQWBBTY\n"
    "/ldwY66V2tCJBjDP2VMOyZeN1TAfBgNVHSMEGDAWgBRbStAlReSsiqHYkrk4pCQ6\n"
    "NWy/TTAKBggqhkjOPQQDAgNIADBFAiAN4TqlV3bDocGBKpALt2oPCSDPh87ADyRA\n"
    "adm0hnt72QIhAM3eMLtSdMiawXE5oDriLcBUQ5BEmR46UjtEQziyZ2Qb\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_middle3_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBdzCCARygAwIBAgICEBswCgYIKoZIzj0EAwIwEjEQMA4GA1UEAwwHbWlkZGxl\n"
    "MjAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MTIzMTIzNTk1OVowEjEQMA4GA1UEAwwH\n"
    "bWlkZGxlMzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAuI6DEzHL/O23xG8qH9\n"
    "cTY7CFXr79ocQC7brWqcUs7Plx87yuPqP6iJBhBWZKyb88PT/jDGspXd4ey4jlDa\n"
    "SdyjYDBeMA8GA1UdEwEB/wQFMAMBAf8wCwYDVR0PBAQDAgEGMB0GA1UdDgQWBBT4\n"
    "xUdhEBJLWPMoh2Tn9QXIpnHPsDAfBgNVHSMEGDAWgBTY/ldwY66V2tCJBjDP2VMO\n"
    "yZeN1TAKBggqhkjOPQQDAgNJADBGAiEAoRDMVd4mhAc4WmmIogR/Z1fr2kv+AxrP\n"
    "PYbxpBQaKPkCIQCCfuqw3yedsss6pOu9DEvwM8YihJk93MU2erVC4EtNTQ==\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_middle4_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBdjCCARygAwIBAgICEBwwCgYIKoZIzj0EAwIwEjEQMA4GA1UEAwwHbWlkZGxl\n"
    "MzAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MTIzMTIzNTk1OVowEjEQMA4GA1UEAwwH\n"
    "bWlkZGxlNDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABPRmuZig/TzD5DP5/aGr\n"
    "KVNYkfB9AxYm40NAnDz1/asUu/ubPsTdeCUidIz2uoZhK3QNB6fhYiB/x0hB0a1L\n"
    "GOCjYDBeMA8GA1UdEwEB/wQFMAMBAf8wCwYDVR0PBAQDAgEGMB0GA1UdDgQWBBSL\n"
    "C+FjTHmgKqrH9btYUq7wwZCtxTAfBgNVHSMEGDAWgBT4xUdhEBJLWPMoh2Tn9QXI\n"
    "pnHPsDAKBggqhkjOPQQDAgNIADBFAiEA4ZIyqxEIe/jPipn+oj+n5DTczW/8hdZF\n"
    "bQXwnXZO9O8CIGlwY2h2kwMyAekqn4sKrNM3oi6ss4dF/tkKniEV9UX8\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_middle5_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBdzCCARygAwIBAgICEB0wCgYIKoZIzj0EAwIwEjEQMA4GA1UEAwwHbWlkZGxl\n"
    "NDAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MTIzMTIzNTk1OVowEjEQMA4GA1UEAwwH\n"
    "bWlkZGxlNTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIKVIqE3K5nRgzP3chmb\n"
    "Nwpep0jodeysmpt3wgg3NDQDS9di+sUwgINmZNXfgzkYvfE+ewJ7vMMIHLZxY1Cc\n"
    "0iujYDBeMA8GA1UdEwEB/wQFMAMBAf8wCwYDVR0PBAQDAgEGMB0GA1UdDgQWBBTY\n"
    "JcTaoZTUy4IYbt80Fs+XubpA0DAfBgNVHSMEGDAWgBSLC+FjTHmgKqrH9btYUq7w\n"
    "wZCtxTAKBggqhkjOPQQDAgNJADBGAiEA7hgeChRqF16mWpQATpUjd95EL/ZA6Vfi\n"
    "vzmZuee6oiUCIQCqzXVVM/7aac7j3q9mzyOBTVl6zo7zb6uHR8/vcZncKQ==\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_middle6_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBdjCCARygAwIBAgICEB4wCgYIKoZIzj0EAwIwEjEQMA4GA1UEAwwHbWlkZGxl\n"
    "NTAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MTIzMTIzNTk1OVowEjEQMA4GA1UEAwwH\n"
    "bWlkZGxlNjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABOjN9UwyOnQKz7y9ke7B\n"
    "tRyudXvmKABLwanBMPkCZIQQECE4Sshy131R7raAJCzuleycMfCYLu2vnzpe5BX/\n"
    "bSqjYDBeMA8GA1UdEwEB/wQFMAMBAf8wCwYDVR0PBAQDAgEGMB0GA1UdDgQWBBQR\n"
    "RaUNT4qWjTXJFLNWO9bXExdz4zAfBgNVHSMEGDAWgBTYJcTaoZTUy4IYbt80Fs+X\n"
    "ubpA0DAKBggqhkjOPQQDAgNIADBFAiEAqCtD64IGTX9AAmx6/aVuUiwRraNMpF0I\n"
    "+KUMQC2iQEUCIGh5v3Xr8jtVn8CTY1pTnUXMyi8YNixkEdZKWhTsjxff\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_middle7_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBdjCCARygAwIBAgICEB8wCgYIKoZIzj0EAwIwEjEQMA4GA1UEAwwHbWlkZGxl\n"
    "NjAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MTIzMTIzNTk1OVowEjEQMA4GA1UEAwwH\n"
    "bWlkZGxlNzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABOzds6k0Jnvf4e6aZ4oH\n"
    "T01ku6Xmhzo0fat/xLXOEEbw4J2oBn4dDF7SA8fLRjqNPBY7lzrlMoa8xxF+uEkO\n"
    "INajYDBeMA8GA1UdEwEB/wQFMAMBAf8wCwYDVR0PBAQDAgEGMB0GA1UdDgQWBBSU\n"
    "0GGIdWZOoHComftl2ObsvUyjETAfBgNVHSMEGDAWgBQRRaUNT4qWjTXJFLNWO9bX\n"
    "Exdz4zAKBggqhkjOPQQDAgNIADBFAiAM0vJHDfNNzCN8oDnH8Bst8I+uBKVJTaAO\n"
    "ngvDrXn2NQIhAOrk/OTjCJmVt3vGUO7l1TnPdgETTj/Gkn52+u6rVUEF\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_middle8_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBdzCCARygAwIBAgICECAwCgYIKoZIzj0EAwIwEjEQMA4GA1UEAwwHbWlkZGxl\n"
    "NzAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MTIzMTIzNTk1OVowEjEQMA4GA1UEAwwH\n"
    "bWlkZGxlODBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIxFBAErJbm87fG/SHlZ\n"
    "oeroyZximeEXKcJ+mU2hMBX4p5rF0ZaNBejGtfrWQnc9GNwSemMePmtDFbLa3GTy\n"
    "h9mjYDBeMA8GA1UdEwEB/wQFMAMBAf8wCwYDVR0PBAQDAgEGMB0GA1UdDgQWBBRb\n"
    "s+fDeplmvb9vdv+Gq7nQqkkqyDAfBgNVHSMEGDAWgBSU0GGIdWZOoHComftl2Obs\n"
    "vUyjETAKBggqhkjOPQQDAgNJADBGAiEAuvqNfCHGVAhxWh2Y0xh20ThySYsPiARp\n"
    "bBttqOcXxzgCIQDqpKYEpMVRhwE1SWuFqLMD0Dt7kzl9xh9xFLKdMF8ICg==\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_middle9_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBdzCCARygAwIBAgICECEwCgYIKoZIzj0EAwIwEjEQMA4GA1UEAwwHbWlkZGxl\n"
    "ODAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MTIzMTIzNTk1OVowEjEQMA4GA1UEAwwH\n"
    "bWlkZGxlOTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIscsJ+ZyLzIzdzXyWKY\n"
    "awQD2ghTEiYWeTmLYULjO8gyVWA3e4gaum2gcAngjPfr2sViv87XJ1C0vEoMa4Nv\n"
    "LtSjYDBeMA8GA1UdEwEB/wQFMAMBAf8wCwYDVR0PBAQDAgEGMB0GA1UdDgQWBBT/\n"
    "k5HbvHnO05QjlSQfXehTQAxNHjAfBgNVHSMEGDAWgBRbs+fDeplmvb9vdv+Gq7nQ\n"
    "qkkqyDAKBggqhkjOPQQDAgNJADBGAiEAqAiLkFHKfm2XJtpq6A251a/AsjL09Yq8\n"
    "EFtPpERx9zECIQCdPms+30PzpxSTdRvEOT7NhSbhLjCdP5jmLO7FyuXWHg==\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_deep_crt[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBhTCCASugAwIBAgICECIwCgYIKoZIzj0EAwIwEjEQMA4GA1UEAwwHbWlkZGxl\n"
    "OTAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MTIzMTIzNTk1OVowDzENMAsGA1UEAwwE\n"
    "ZGVlcDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNJyirY4wQJCw6Uwcss/fIpp\n"
    "YaF+dtFCrsV58B3fP4wsohMJ41g8mEbsiYi2yLUphBucuv2f10SfLNie5bDT8N+j\n"
    "cjBwMAkGA1UdEwQCMAAwEwYDVR0lBAwwCgYIKwYBBQUHAwEwDgYDVR0PAQH/BAQD\n"
    "AgeAMB0GA1UdDgQWBBQl0cuHymoSuXUt+lQm8QRLFpsOZTAfBgNVHSMEGDAWgBT/\n"
    "k5HbvHnO05QjlSQfXehTQAxNHjAKBggqhkjOPQQDAgNIADBFAiEAi43X8pB1YPAX\n"
    "cSN+b1VyUNRX2UDI2vT62NHibGlbEtACIBIDB7PKjjVPwSN4vdPj5EMa4iL5qboV\n"
    "G4dGn3gDBm+T\n"
    "-----END CERTIFICATE-----\n"
    ;
/* clang-format on */

/* clang-format off */
static const char odd_pki_deep_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgsiXM7ppH80JNn4cd\n"
    "ywtiIRBakqmtYXp9oAxdRg0kpyWhRANCAATScoq2OMECQsOlMHLLP3yKaWGhfnbR\n"
    "Qq7FefAd3z+MLKITCeNYPJhG7ImItsi1KYQbnLr9n9dEnyzYnuWw0/Df\n"
    "-----END PRIVATE KEY-----\n"
    ;
/* clang-format on */

#endif
