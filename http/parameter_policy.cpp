#include "http/parameter_policy.hpp"

#include "http/answer_shape.hpp" // append_member
#include "http/dom.hpp"

#include <algorithm>
#include <limits>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

namespace lang_agent::http {

namespace {

using dom::text;

/// The nesting of what we parse here was limited when it came in.
constexpr auto any_depth = std::numeric_limits<unsigned>::max();

bool contains(const std::vector<std::string>& names, std::string_view x) {
  return std::find(names.begin(), names.end(), x) != names.end();
}

/// Options that say nothing count as none.
bool has_stream_options(const chat_parameters& x) {
  return x.include_usage || !x.stream_options.empty();
}

/// The members of `chat_parameters::forwarded`, found again in its text.
class forwarded_members {
public:
  struct member {
    std::string_view name;
    std::string_view whole; ///< with the comma before it
    std::string_view content;
  };

  explicit forwarded_members(const std::string& forwarded) : text_(forwarded) {
    if (text_.empty())
      return;
    // The first comma makes room for the brace: all positions stay.
    text_.front() = '{';
    text_ += '}';
    if (document_.parse(text_, any_depth) != dom::spanned_document::outcome::ok)
      return;
    const std::string_view as_sent{forwarded};
    std::size_t begin = 0;
    for (const auto& x : document_.members()) {
      const auto content = static_cast<std::size_t>(x.raw.data() - text_.data());
      const auto end = content + x.raw.size();
      members_.push_back({text(*x.name), as_sent.substr(begin, end - begin), x.raw});
      begin = end;
    }
  }

  auto begin() const {
    return members_.begin();
  }
  auto end() const {
    return members_.end();
  }

private:
  std::string text_;
  dom::spanned_document document_;
  std::vector<member> members_;
};

/// Applies a policy to the parameters of one request.
class adapter {
public:
  adapter(const chat_parameters& x, const parameter_policy& policy) : policy_(policy), out_(x) {}

  void rewrite() {
    if (!policy_.drop.empty() || !policy_.rename.empty())
      rewrite_members();
    if (contains(policy_.drop, "stream_options"))
      drop_stream_options();
  }

  chat_parameters take_parameters() {
    return std::move(out_);
  }

  std::string take_dropped() {
    return std::move(dropped_);
  }

private:
  void rewrite_members() {
    const auto forwarded = std::exchange(out_.forwarded, {});
    const forwarded_members members{forwarded};
    std::set<std::string_view> taken; // the upstream's names that the request has
    for (const auto& x : members)
      if (!contains(policy_.drop, x.name) && !new_name(x.name))
        taken.insert(x.name);
    for (const auto& x : members)
      rewrite_member(x, taken);
    if (!has_limit_)
      out_.max_tokens.reset();
  }

  void rewrite_member(const forwarded_members::member& x, std::set<std::string_view>& taken) {
    const auto* name = new_name(x.name);
    if (contains(policy_.drop, x.name) || (name && !taken.insert(*name).second)) {
      drop(x.name);
      return;
    }
    has_limit_ = has_limit_ || x.name == "max_tokens" || x.name == "max_completion_tokens";
    if (name)
      append_member(out_.forwarded, *name, x.content);
    else
      out_.forwarded += x.whole;
  }

  const std::string* new_name(std::string_view name) const {
    const auto found = policy_.rename.find(std::string{name});
    return found == policy_.rename.end() ? nullptr : &found->second;
  }

  void drop(std::string_view name) {
    if (name == "n")
      out_.choices = 1;
    if (!noted_.insert(std::string{name}).second)
      return;
    if (!dropped_.empty())
      dropped_ += ", ";
    dropped_ += name;
  }

  void drop_stream_options() {
    if (has_stream_options(out_))
      drop("stream_options");
    out_.ask_usage = false;
    out_.stream_options.clear();
  }

  const parameter_policy& policy_;
  chat_parameters out_;
  std::set<std::string> noted_;
  std::string dropped_;
  bool has_limit_ = false; ///< on the length of the answer
};

/// The same message with another role; all else in it stays as it was written.
message_ptr with_role(const message_ptr& message, role who, std::string_view name) {
  const std::string_view json = message->json;
  dom::spanned_document document;
  if (document.parse(json, any_depth) != dom::spanned_document::outcome::ok)
    return message;
  auto out = std::make_shared<chat_message>(*message);
  out->who = who;
  out->json.clear();
  std::size_t done = 0;
  for (const auto& x : document.members()) {
    if (text(*x.name) != "role")
      continue;
    const auto begin = static_cast<std::size_t>(x.raw.data() - json.data());
    out->json.append(json, done, begin - done).append("\"").append(name).append("\"");
    done = begin + x.raw.size();
  }
  out->json.append(json, done);
  return out;
}

void rewrite_roles(message_list& prompt, instruction_role wanted) {
  if (wanted == instruction_role::as_sent)
    return;
  const bool system = wanted == instruction_role::system;
  const auto who = system ? role::system : role::developer;
  for (auto& message : prompt)
    if (message->is_instruction() && message->who != who)
      message = with_role(message, who, system ? "system" : "developer");
}

} // namespace

std::string refused_parameter(const chat_parameters& x, const parameter_policy& policy) {
  if (policy.refuse.empty())
    return {};
  for (const auto& member : forwarded_members{x.forwarded})
    if (contains(policy.refuse, member.name))
      return std::string{member.name};
  if (x.stream && contains(policy.refuse, "stream"))
    return "stream";
  if (has_stream_options(x) && contains(policy.refuse, "stream_options"))
    return "stream_options";
  return {};
}

adapted_request adapt(const chat_parameters& x, const message_list& prompt,
                      const parameter_policy& policy) {
  adapter parameters{x, policy};
  parameters.rewrite();
  adapted_request out{parameters.take_parameters(), prompt, parameters.take_dropped()};
  rewrite_roles(out.prompt, policy.instructions);
  return out;
}

} // namespace lang_agent::http
