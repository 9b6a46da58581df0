/// Answers as clients see them: chat.completion and chat.completion.chunk, strictly OpenAI-shaped.
#pragma once

#include "messages/chat.hpp"
#include "messages/error.hpp"

#include <cstdint>
#include <set>
#include <string>

namespace lang_agent::http {

/// Encodes one answer, whole or as a stream. Not thread-safe.
class answer_encoder {
public:
  /// `created` is in Unix seconds.
  answer_encoder(std::string id, std::int64_t created, const std::string& model,
                 bool include_usage);

  /// The body of a plain answer.
  std::string whole(const answer& x) const;

  /// Appends the event of one delta. The first one of a choice carries the role.
  void delta(std::string& out, const choice_delta& x);

  /// Appends the end of a stream: finish reasons, the usage chunk if wanted, [DONE].
  void finish(std::string& out, const answer& x);

  /// The event that ends a stream without [DONE].
  static std::string error_event(const failure& why);

private:
  void open_chunk(std::string& out) const;
  void close_chunk(std::string& out, const std::string& members) const;
  bool introduce(std::uint32_t choice);

  std::string id_;
  std::string created_;
  std::string model_; ///< as JSON
  bool include_usage_;
  std::set<std::uint32_t> introduced_;
};

/// "chatcmpl-" and 32 random letters and digits.
std::string make_answer_id();

} // namespace lang_agent::http
