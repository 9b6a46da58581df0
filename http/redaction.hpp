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

  /// `secrets` are keys and credentials, `places` names of hosts. Empty ones are ignored.
  explicit redaction(std::vector<std::string> secrets, std::vector<std::string> places = {});

  /// The text with all of them replaced, whatever their case. A secret goes wherever it stands,
  /// e.g. behind a %20. Inside a longer word a place stays, and a secret so short that it may be a
  /// part of one by chance: a host called "a1" must not eat the language.
  std::string operator()(std::string text) const;

private:
  struct hidden {
    std::string text; ///< in lower case
    bool is_word;     ///< only as a word of its own
  };

  void add(std::string text, bool is_word);

  std::vector<hidden> hidden_; ///< the longest first
};

} // namespace lang_agent::http
