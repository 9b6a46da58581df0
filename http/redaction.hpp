/// Keeps an upstream's key and address out of what clients see of the upstream's own words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lang_agent::http {

class redaction {
public:
  /// Nothing is secret.
  redaction() = default;

  /// Empty secrets are ignored.
  explicit redaction(std::vector<std::string> secrets);

  /// The text with every secret replaced, whatever its case. A secret inside a longer word stays:
  /// a host called "a" must not eat the language.
  std::string operator()(std::string text) const;

private:
  std::vector<std::string> secrets_; ///< in lower case, the longest first
};

} // namespace lang_agent::http
