/// Random work for a store, from a seed.
#pragma once

#include "tests/store/naive_store.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace lang_agent::test {

inline const std::vector<std::string> tenants{"t", "T"};
inline const std::vector<std::string> ids{"a",    "A",           "b",
                                          "it's", "\xc3\xa4 %_", std::string{"a\0", 2}};
inline const std::vector<std::string> idempotency_keys{"", "k", "K", "it's"};
inline const std::vector<digest> requests{
    {1, 2}, {1, ~std::uint64_t{0}}, {std::uint64_t{1} << 63, 2}};
inline const std::vector<std::string> imports{"i", "j"};
inline const std::vector<std::string> account_ids{"a", "A", "", "it's", std::string{"a\0", 2}};
inline const std::vector<std::string> models{"", "m", "M"};
inline const std::vector<role> roles{role::user,      role::user, role::assistant,
                                     role::assistant, role::tool, role::function};

/// Random changes and questions. They know the model, so that most of them make sense.
class generator {
public:
  explicit generator(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t n) {
    return random_() % n;
  }

  bool one_in(std::size_t n) {
    return below(n) == 0;
  }

  template <class T>
  const T& any(const std::vector<T>& from) {
    return from[below(from.size())];
  }

  thread_key key() {
    return {any(tenants), any(ids)};
  }

  /// Mostly of a thread that is there.
  thread_key key(const naive_store& model) {
    const auto keys = model.keys();
    return keys.empty() || one_in(5) ? key() : any(keys);
  }

  /// Turns come in order of time. What else has a time may have any.
  unix_ms now() {
    return clock_ += static_cast<unix_ms>(below(4));
  }

  unix_ms around() {
    return clock_ + 5 - static_cast<unix_ms>(below(30));
  }

  message_ptr message(const std::vector<role>& whose) {
    chat_message x{.who = any(whose), .json = R"({"n":)" + std::to_string(++messages_)};
    x.json += std::string(below(one_in(20) ? 5000 : 40), ' ') + '}';
    if (one_in(4))
      x.reasoning = R"("because")";
    x.id = one_in(4) ? any(requests) : digest{wide_(random_), wide_(random_)};
    for (auto n = one_in(4) ? below(4) : 0; n > 0; --n)
      x.calls.push_back(std::string(below(30), 'c'));
    if (one_in(4))
      x.answers = "call";
    x.empty = one_in(8);
    x.tokens = one_in(50) ? ~std::uint32_t{0} : static_cast<std::uint32_t>(below(20));
    return std::make_shared<const chat_message>(std::move(x));
  }

  message_list messages(std::size_t most, const std::vector<role>& whose) {
    message_list out;
    for (auto n = below(most + 1); n > 0; --n)
      out.push_back(message(whose));
    return out;
  }

  message_list instructions() {
    return messages(2, {role::system, role::developer});
  }

  context_limits limits() {
    return {one_in(2) ? 0 : below(8), one_in(2) ? 0 : below(60)};
  }

  replay_query replay(const naive_store& model) {
    return {key(model), any(requests), any(idempotency_keys), one_in(3) ? 0 : around()};
  }

  store_change change(naive_store& model) {
    switch (below(26)) {
    case 20:
    case 21:
      return admin();
    case 22:
      return touch();
    case 23:
      return some_usage();
    case 0:
    case 1:
      return delete_thread{key(model), one_in(3) ? 0 : around(), one_in(3)};
    case 2:
    case 3:
      return fork(model);
    case 4:
    case 5:
      return change_metadata{key(model), metadata_changes()};
    case 6:
    case 7:
      return import_messages{any(imports), import_piece()};
    case 8:
      return limited(finish_import{any(imports), key(), import_info(), one_in(2) ? 0 : below(9)});
    case 9:
      return discard_import{any(imports)};
    default:
      return turn(model);
    }
  }

  store_query query(const naive_store& model) {
    switch (below(9)) {
    case 5:
      return list_accounts{};
    case 6:
      return list_audit{1 + below(5), one_in(2) ? 0 : below(15), maybe(account_ids),
                        maybe(account_ids)};
    case 7:
      return usage_page();
    case 8:
      return read_totals{any(tenants)};
    case 0:
      return find_thread{key(model)};
    case 1:
      return list_threads{any(tenants), 1 + below(5), one_in(2), one_in(2) ? "" : any(ids)};
    case 2:
      return message_page(model);
    case 3:
      return read_thread{message_page(model)};
    default:
      return find_expired{any(tenants), around(), one_in(2) ? "" : any(ids), 1 + below(4)};
    }
  }

private:
  turn_record turn(naive_store& model) {
    turn_record out{.key = key(model)};
    const auto thread = model.load(out.key, {});
    const auto live = thread.history.size();
    out.version = one_in(10) ? below(4) : thread.version;
    out.keep = one_in(3) ? below(live + 1) : live;
    if (one_in(40))
      out.keep = live + 1; // fails
    if (one_in(3))
      out.instructions = instructions();
    out.messages = messages(4, roles);
    out.at = now();
    out.request = any(requests);
    out.idempotency_key = any(idempotency_keys);
    out.key_since = one_in(5) ? 0 : around();
    if (!one_in(4))
      out.answer = "answer " + std::to_string(++answers_);
    if (one_in(2))
      out.usage = usage();
    return limited(std::move(out));
  }

  /// Limits of storage about where they begin to matter.
  template <class Change>
  Change limited(Change x) {
    if (one_in(6))
      x.max_threads = 1 + below(6);
    if (one_in(6))
      x.max_stored_bytes = 1 + below(3000);
    return x;
  }

  std::optional<std::string> maybe(const std::vector<std::string>& from) {
    if (one_in(2))
      return std::nullopt;
    return any(from);
  }

  admin_change admin() {
    admin_change out{.audit = {.number = below(9), // the store gives another one
                               .at = around(),
                               .who = any(account_ids),
                               .action = "action",
                               .object = any(account_ids),
                               .detail = "{}",
                               .tenant = "ignored"}};
    switch (below(7)) {
    case 0:
      out.what = remove_tenant{any(account_ids)};
      break;
    case 1:
      out.what = remove_key{any(account_ids)};
      break;
    case 2:
      out.what = put_tenant{{any(account_ids), "{\"n\":" + std::to_string(below(9)) + "}"}};
      break;
    case 3:
      out.what = rotate_key{any(account_ids), around(), account_key()};
      break;
    default:
      out.what = put_key{account_key()};
    }
    return out;
  }

  stored_key account_key() {
    stored_key out{.id = any(account_ids), .tenant = any(account_ids)};
    out.digest[31] = static_cast<unsigned char>(below(8));
    out.label = any(account_ids);
    out.limits = one_in(2) ? "" : any(account_ids);
    out.hint = "hint";
    out.created = around();
    out.expires = one_in(2) ? 0 : around();
    out.disabled = one_in(3);
    out.last_used = one_in(2) ? 0 : around();
    return out;
  }

  touch_keys touch() {
    touch_keys out;
    for (auto n = below(4); n > 0; --n)
      out.used.emplace_back(any(account_ids), around());
    return out;
  }

  usage_key which_usage() {
    return {any(tenants), any(account_ids), any(models), static_cast<std::int32_t>(below(6)) - 1};
  }

  /// Now and then more than can be summed up.
  usage_row usage() {
    const auto some = [this] { return one_in(30) ? wide_(random_) : below(1000); };
    return {which_usage(),
            {some(), some(), some(), some(), some(), some(), static_cast<std::int64_t>(some())}};
  }

  add_usage some_usage() {
    add_usage out;
    for (auto n = below(5); n > 0; --n)
      out.rows.push_back(usage());
    return out;
  }

  read_usage usage_page() {
    read_usage out{maybe(tenants), maybe(account_ids), maybe(models)};
    out.first_day = static_cast<std::int32_t>(below(6)) - 2;
    out.last_day = out.first_day + static_cast<std::int32_t>(below(6)) - 1;
    out.limit = 1 + below(6);
    if (one_in(2))
      out.after = which_usage();
    return out;
  }

  fork_thread fork(const naive_store& model) {
    const auto source = key(model);
    fork_thread out{source, {source.tenant, any(ids)}, {}, around()};
    if (one_in(2))
      out.up_to = number();
    return limited(std::move(out));
  }

  std::map<std::string, std::optional<std::string>> metadata_changes() {
    std::map<std::string, std::optional<std::string>> out;
    for (auto n = below(one_in(3) ? 20 : 6); n > 0; --n) {
      auto& value = out["name " + std::to_string(below(25))];
      if (!one_in(5))
        value = std::string(below(5), 'v');
    }
    return out;
  }

  std::vector<stored_message> import_piece() {
    std::vector<stored_message> out;
    for (auto n = below(5); n > 0; --n)
      out.push_back({number(), around(), one_in(3), message(roles)});
    return out;
  }

  thread_info import_info() {
    thread_info out{.id = "ignored", .created = around(), .updated = around(), .turns = below(9)};
    if (one_in(2))
      out.metadata = {{"name 1", "imported"}, {"", ""}};
    out.instructions = instructions();
    return out;
  }

  list_messages message_page(const naive_store& model) {
    list_messages out{.key = key(model), .limit = 1 + below(8)};
    out.ascending = one_in(2);
    if (one_in(2))
      out.after = number();
    out.superseded = one_in(2);
    if (one_in(2))
      out.max_bytes = 1 + below(150);
    return out;
  }

  std::uint64_t number() {
    return one_in(20) ? ~std::uint64_t{0} : below(15);
  }

  std::mt19937 random_;
  std::uniform_int_distribution<std::uint64_t> wide_;
  unix_ms clock_ = 1'700'000'000'000;
  int messages_ = 0;
  int answers_ = 0;
};

} // namespace lang_agent::test
