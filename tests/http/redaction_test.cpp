#define CAF_SUITE redaction
#include "tests/test.hpp"

#include "http/redaction.hpp"

using lang_agent::http::redaction;

CAF_TEST(secrets are replaced wherever they stand and however they are written) {
  const redaction redact{{"sk-Secret-1", "10.0.0.7:8080", "10.0.0.7", ""}};
  CAF_CHECK_EQUAL(redact("key sk-secret-1 and SK-SECRET-1."), "key [redacted] and [redacted].");
  CAF_CHECK_EQUAL(redact("http://10.0.0.7:8080/v1, 10.0.0.7"), "http://[redacted]/v1, [redacted]");
  CAF_CHECK_EQUAL(redact("nothing"), "nothing");
}

CAF_TEST(a secret that is a part of the replacement or of other words does no harm) {
  const redaction redact{{"a"}, {"red"}};
  CAF_CHECK_EQUAL(redact("a red hat"), "[redacted] [redacted] hat");
  CAF_CHECK_EQUAL(redact("shared"), "shared");
}

CAF_TEST(a secret is replaced inside of words and a place is not ) {
  const redaction redact{{"c2VjcmV0", "short"}, {"model-1.example"}};
  CAF_CHECK_EQUAL(redact("Basic%20C2VjcmV0, xc2VjcmV0x"), "Basic%20[redacted], x[redacted]x");
  CAF_CHECK_EQUAL(redact("short shortest"), "[redacted] shortest");
  CAF_CHECK_EQUAL(redact("at model-1.example, a supermodel-1.example"),
                  "at [redacted], a supermodel-1.example");
}

CAF_TEST(without secrets every text stays) {
  CAF_CHECK_EQUAL(redaction{}("anything"), "anything");
}
