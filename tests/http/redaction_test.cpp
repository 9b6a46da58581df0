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
  const redaction redact{{"a", "red"}};
  CAF_CHECK_EQUAL(redact("a red hat"), "[redacted] [redacted] hat");
  CAF_CHECK_EQUAL(redact("shared"), "shared");
}

CAF_TEST(without secrets every text stays) {
  CAF_CHECK_EQUAL(redaction{}("anything"), "anything");
}
