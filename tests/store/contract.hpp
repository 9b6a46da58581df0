/// A store under test, and short ways to fill and to read it.
#pragma once

#include "tests/store/engines.hpp"

#include <cstddef>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace lang_agent::test {

inline const thread_key alice{"alice", "1"};
inline const thread_key alice_2{"alice", "2"};
inline const thread_key bob{"bob", "1"};

/// "u1 a1": one message per word, by its first letter: user, assistant, system.
inline message_list talk(const std::string& words) {
  message_list out;
  std::istringstream in{words};
  for (std::string word; in >> word;)
    out.push_back(
        message(word[0] == 'a' ? "assistant" : (word[0] == 's' ? "system" : "user"), word));
  return out;
}

inline std::string word_of(const message_ptr& x) {
  const std::string before = R"("content":")";
  const auto at = x->json.find(before) + before.size();
  return x->json.substr(at, x->json.find('"', at) - at);
}

inline std::string words_of(const message_list& messages) {
  std::string out;
  for (const auto& x : messages)
    out += (out.empty() ? "" : " ") + word_of(x);
  return out;
}

/// "1:u1 2:a1- +": numbers and words of a page, superseded ones marked, "+" when more follow.
inline std::string short_page(const query_result& x) {
  const auto* found = std::get_if<page<stored_message>>(&x);
  if (!found)
    return text_of(x);
  std::string out;
  for (const auto& item : found->data)
    out += (out.empty() ? "" : " ") + std::to_string(item.number) + ":" + word_of(item.message)
           + (item.superseded ? "-" : "");
  return out + (found->has_more ? " +" : "");
}

/// "1 2 +": the ids of a page of threads.
inline std::string short_list(const query_result& x) {
  const auto* found = std::get_if<page<thread_info>>(&x);
  if (!found)
    return text_of(x);
  std::string out;
  for (const auto& item : found->data)
    out += (out.empty() ? "" : " ") + item.id;
  return out + (found->has_more ? " +" : "");
}

/// One store in a directory of its own. When it `reopens`, it is closed and opened again after
/// each commit: nothing of what is checked may be in memory only.
class bench {
public:
  bench(engine which, bool reopens) : engine_(std::move(which)), reopens_(reopens) {
    reopen();
  }

  store::thread_store& store() {
    return *store_;
  }

  /// For what does not outlive the process: imports that are not finished.
  void stay_open() {
    reopens_ = false;
  }

  std::vector<change_result> commit_all(const std::vector<store_change>& changes) {
    auto out = store_->commit(changes);
    CAF_CHECK_EQUAL(out.size(), changes.size());
    if (reopens_)
      reopen();
    return out;
  }

  /// The result as `text_of` shows it.
  std::string commit(const store_change& x) {
    return text_of(commit_all({x}).at(0));
  }

  /// Adds a turn after all live messages, or after the first `keep`.
  void add(const thread_key& key, const std::string& words, unix_ms at = 1000,
           std::optional<std::size_t> keep = {}) {
    const auto now = load(key);
    turn_record turn{.key = key, .version = now.version, .messages = talk(words), .at = at};
    turn.keep = keep.value_or(now.history.size());
    CAF_CHECK_EQUAL(commit(turn), "nothing");
  }

  thread_record load(const thread_key& key, const context_limits& limits = {}) {
    return store_->load(key, limits);
  }

  std::string history(const thread_key& key) {
    return words_of(load(key).history);
  }

  query_result ask(const store_query& query) {
    return store_->ask(query);
  }

  /// Of a thread that is there.
  thread_info info(const thread_key& key) {
    const auto found = ask(find_thread{key});
    if (const auto* x = std::get_if<thread_info>(&found))
      return *x;
    CAF_FAIL("no thread " << key.thread);
  }

  std::string messages(const list_messages& query) {
    return short_page(ask(query));
  }

  /// All messages ever stored.
  std::string all_messages(const thread_key& key) {
    return messages({.key = key, .limit = 100, .superseded = true});
  }

  std::string threads(const list_threads& query) {
    return short_list(ask(query));
  }

  std::string replay(const replay_query& query) {
    return text_of(store_->find_replay(query));
  }

private:
  void reopen() {
    store_.reset(); // before another one takes the file
    store_ = engine_.open(directory_.path());
  }

  engine engine_;
  bool reopens_;
  temporary_directory directory_;
  std::unique_ptr<store::thread_store> store_;
};

/// Checks one behaviour on all engines.
template <class F>
void on_every_engine(F check) {
  for (const auto& x : engines()) {
    CAF_MESSAGE(x.name);
    bench once{x, false};
    check(once);
    if (!x.persistent)
      continue;
    CAF_MESSAGE(x.name << ", opened again after each commit");
    bench again{x, true};
    check(again);
  }
}

} // namespace lang_agent::test
