/// What the tests of all storage engines share: the engines, and results as text.
#pragma once

#include "tests/test.hpp"

#include "store/memory_store.hpp"
#include "store/sqlite_store.hpp"
#include "store/thread_store.hpp"

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <system_error>
#include <type_traits>
#include <vector>

namespace lang_agent::test {

/// A fresh directory, removed at the end. In memory where there is such a place: these tests open
/// thousands of stores, and a disk makes each of them wait.
class temporary_directory {
public:
  temporary_directory() {
    const std::filesystem::path memory{"/dev/shm"};
    const auto disk = std::filesystem::temp_directory_path();
    if (!make_in(std::filesystem::is_directory(memory) ? memory : disk) && !make_in(disk))
      CAF_FAIL("no temporary directory");
  }

  ~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;

  const std::filesystem::path& path() const {
    return path_;
  }

private:
  bool make_in(const std::filesystem::path& parent) {
    auto name = (parent / "lang-agent-test-XXXXXX").string();
    if (!::mkdtemp(name.data()))
      return false;
    path_ = name;
    return true;
  }

  std::filesystem::path path_;
};

struct engine {
  const char* name;
  bool persistent; ///< opened again, it has what was committed
  std::function<std::unique_ptr<store::thread_store>(const std::filesystem::path& directory)> open;
};

inline std::vector<engine> engines() {
  std::vector<engine> out;
  out.push_back({"memory", false, [](const auto&) -> std::unique_ptr<store::thread_store> {
                   return std::make_unique<store::memory_store>();
                 }});
  out.push_back({"sqlite", true, [](const std::filesystem::path& directory) {
                   return store::open_sqlite_store(directory / "threads.db", store::durability::os);
                 }});
  return out;
}

// -- results, complete and readable ---------------------------------------------------------------

inline void print(std::ostream& out, const message_ptr& x) {
  if (!x) {
    out << "(null)";
    return;
  }
  out << '(' << static_cast<int>(x->who) << ' ' << x->json << " reasoning=" << x->reasoning
      << " id=" << x->id.high << ':' << x->id.low << " calls=" << x->calls.size();
  for (const auto& id : x->calls)
    out << ',' << id;
  out << " answers=" << x->answers << " empty=" << x->empty << " tokens=" << x->tokens << ')';
}

inline void print(std::ostream& out, const message_list& messages) {
  for (const auto& x : messages)
    print(out, x);
}

inline void print(std::ostream& out, const stored_message& x) {
  out << "\n  #" << x.number << " created=" << x.created << (x.superseded ? " superseded " : " ");
  print(out, x.message);
}

inline void print(std::ostream& out, const thread_info& x) {
  out << "\n  thread " << x.id << " created=" << x.created << " updated=" << x.updated
      << " turns=" << x.turns << " messages=" << x.messages << " tokens=" << x.tokens;
  for (const auto& [name, value] : x.metadata)
    out << ' ' << name << '=' << value;
  out << " instructions=";
  print(out, x.instructions);
}

inline void print(std::ostream& out, const stored_accounts& x) {
  out << "accounts";
  for (const auto& t : x.tenants)
    out << "\n  tenant " << t.id << ' ' << t.settings;
  for (const auto& k : x.keys) {
    out << "\n  key " << k.id << " of " << k.tenant << " digest=";
    for (const auto byte : k.digest)
      out << static_cast<int>(byte) << '.';
    out << " label=" << k.label << " hint=" << k.hint << " created=" << k.created
        << " expires=" << k.expires << " disabled=" << k.disabled << " last_used=" << k.last_used
        << " limits=" << k.limits;
  }
}

inline void print(std::ostream& out, const audit_entry& x) {
  out << "\n  #" << x.number << " at=" << x.at << " who=" << x.who << " action=" << x.action
      << " object=" << x.object << " detail=" << x.detail << " tenant=" << x.tenant;
}

inline void print(std::ostream& out, const usage_row& x) {
  out << "\n  " << x.key.tenant << '/' << x.key.key << '/' << x.key.model << '/' << x.key.day
      << ": requests=" << x.counts.requests << " estimated=" << x.counts.estimated
      << " cancelled=" << x.counts.cancelled << " failed=" << x.counts.failed
      << " prompt=" << x.counts.prompt_tokens << " completion=" << x.counts.completion_tokens
      << " cost=" << x.counts.cost;
}

inline void print(std::ostream& out, const tenant_totals& x) {
  out << "threads=" << x.threads << " bytes=" << x.bytes;
}

template <class T>
void print(std::ostream& out, const page<T>& x) {
  out << "page of " << x.data.size() << (x.has_more ? ", more follow" : "");
  for (const auto& item : x.data)
    print(out, item);
}

inline void print(std::ostream& out, const thread_with_messages& x) {
  print(out, x.thread);
  out << "\n  with a ";
  print(out, x.messages);
}

inline void print(std::ostream& out, const expired_threads& x) {
  out << "expired, on after '" << x.after << "':";
  for (const auto& id : x.ids)
    out << ' ' << id;
}

inline void print(std::ostream& out, std::monostate) {
  out << "nothing";
}

inline void print(std::ostream& out, refusal x) {
  const char* names[] = {"no_thread",      "no_message", "thread_exists",     "thread_changed",
                         "thread_full",    "key_used",   "too_much_metadata", "too_many_threads",
                         "too_many_bytes", "no_account", "key_taken"};
  out << "refused: " << names[static_cast<std::size_t>(x)];
}

inline void print(std::ostream& out, const thread_record& x) {
  out << "version " << x.version << ", skipped " << x.skipped << "\n  instructions: ";
  print(out, x.instructions);
  out << "\n  history: ";
  print(out, x.history);
}

inline void print(std::ostream& out, const replay_result& x) {
  out << (x.conflict ? "conflict " : "") << "answer '" << x.answer << "'";
}

template <class... T>
void print(std::ostream& out, const std::variant<T...>& x) {
  std::visit([&](const auto& y) { print(out, y); }, x);
}

/// All fields of a result.
template <class T>
std::string text_of(const T& x) {
  std::ostringstream out;
  print(out, x);
  return std::move(out).str();
}

} // namespace lang_agent::test
