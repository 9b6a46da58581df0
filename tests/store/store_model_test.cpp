/// Random work on every engine and on a naive store: whatever is asked, both must tell the same.
#define CAF_SUITE store_model
#include "tests/store/engines.hpp"
#include "tests/store/naive_store.hpp"

#include <iterator>
#include <map>
#include <random>

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

constexpr unsigned seeds = 200;
constexpr int steps = 200;

const std::vector<std::string> tenants{"t", "T"};
const std::vector<std::string> ids{"a", "A", "b", "it's", "\xc3\xa4 %_", std::string{"a\0", 2}};
const std::vector<std::string> idempotency_keys{"", "k", "K", "it's"};
const std::vector<digest> requests{{1, 2}, {1, ~std::uint64_t{0}}, {std::uint64_t{1} << 63, 2}};
const std::vector<std::string> imports{"i", "j"};
const std::vector<role> roles{role::user,      role::user, role::assistant,
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
    switch (below(20)) {
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
      return finish_import{any(imports), key(), import_info(), one_in(2) ? 0 : below(9)};
    case 9:
      return discard_import{any(imports)};
    default:
      return turn(model);
    }
  }

  store_query query(const naive_store& model) {
    switch (below(5)) {
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
    return out;
  }

  fork_thread fork(const naive_store& model) {
    const auto source = key(model);
    fork_thread out{source, {source.tenant, any(ids)}, {}, around()};
    if (one_in(2))
      out.up_to = number();
    return out;
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

std::string committed(store::thread_store& store, const std::vector<store_change>& changes) {
  try {
    std::string out;
    for (const auto& x : store.commit(changes))
      out += text_of(x) + "\n";
    return out;
  } catch (const store::storage_error&) {
    return "failed";
  }
}

/// Everything that can be asked.
std::string all_of(store::thread_store& store) {
  std::string out;
  for (const auto& tenant : tenants) {
    out += text_of(store.ask(list_threads{tenant, 100, true}));
    for (const auto& id : ids) {
      const thread_key key{tenant, id};
      out += "\nthread " + id + text_of(store.ask(find_thread{key})) + text_of(store.load(key, {}))
             + text_of(store.ask(list_messages{.key = key, .limit = 10'000, .superseded = true}));
      for (const auto& request : requests)
        for (const auto& name : idempotency_keys)
          out += text_of(store.find_replay({key, request, name})) + "\n";
    }
  }
  return out;
}

/// An engine beside the model.
class comparison {
public:
  comparison(const engine& which, unsigned seed) : engine_(which), seed_(seed), any_(seed) {
    open();
  }

  void run() {
    for (step_ = 0; step_ < steps; ++step_)
      step();
    if (engine_.persistent)
      reopen();
    check_same("at the end", all_of(model_), all_of(*store_));
  }

  /// How often changes had which result.
  static std::map<std::string, int> results;

private:
  void step() {
    switch (any_.below(20)) {
    case 0:
      return sweep();
    case 1:
      return engine_.persistent && any_.one_in(3) ? reopen() : check_query();
    case 2:
    case 3:
      return check_load();
    case 4:
    case 5:
      return check_replay();
    case 6:
    case 7:
    case 8:
    case 9:
      return check_query();
    default:
      return check_commit();
    }
  }

  void check_commit() {
    std::vector<store_change> changes;
    auto preview = model_; // so that later changes fit earlier ones
    for (auto n = any_.one_in(2) ? 1 : any_.below(5); n > 0; --n) {
      changes.push_back(any_.change(preview));
      committed(preview, {changes.back()});
    }
    const auto expected = committed(model_, changes);
    count(expected);
    check_same("commit of " + std::to_string(changes.size()), expected,
               committed(*store_, changes));
    for (const auto& key : model_.keys())
      check_same("after a commit", text_of(model_.ask(find_thread{key})),
                 text_of(store_->ask(find_thread{key})));
  }

  void check_query() {
    const auto query = any_.query(model_);
    check_same("query " + std::to_string(query.index()), text_of(model_.ask(query)),
               text_of(store_->ask(query)));
  }

  void check_load() {
    const auto key = any_.key(model_);
    const auto limits = any_.limits();
    check_same("load " + std::to_string(limits.max_messages) + " "
                   + std::to_string(limits.max_tokens),
               text_of(model_.load(key, limits)), text_of(store_->load(key, limits)));
  }

  void check_replay() {
    const auto query = any_.replay(model_);
    check_same("replay", text_of(model_.find_replay(query)), text_of(store_->find_replay(query)));
  }

  void sweep() {
    const auto before = any_.one_in(2) ? 0 : any_.around() - 20;
    model_.sweep(before);
    int left = 1000;
    while (store_->sweep(before))
      if (--left == 0)
        CAF_FAIL("sweeping never ends");
    check_same("after a sweep", all_of(model_), all_of(*store_));
  }

  void open() {
    store_.reset();
    store_ = engine_.open(directory_.path());
  }

  void reopen() {
    open();
    model_.restart();
    check_same("opened again", all_of(model_), all_of(*store_));
  }

  static void count(const std::string& text) {
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("refused") || line == "failed" || line == "nothing")
        ++results[line];
  }

  void check_same(const std::string& what, const std::string& expected, const std::string& found) {
    if (expected != found)
      CAF_FAIL(engine_.name << ", seed " << seed_ << ", step " << step_ << ", " << what
                            << ":\nexpected\n"
                            << expected << "\nfound\n"
                            << found);
  }

  const engine& engine_;
  unsigned seed_;
  int step_ = 0;
  generator any_;
  temporary_directory directory_;
  std::unique_ptr<store::thread_store> store_;
  naive_store model_;
};

std::map<std::string, int> comparison::results;

} // namespace

CAF_TEST(engines do what the model does) {
  for (const auto& engine : engines()) {
    CAF_MESSAGE(engine.name);
    comparison::results.clear();
    const auto last = engine.persistent ? seeds / 2 : seeds; // those take longer
    for (unsigned seed = 1; seed <= last; ++seed)
      comparison{engine, seed}.run();
    std::string counts;
    for (const auto& [result, count] : comparison::results)
      counts += (counts.empty() ? "" : ", ") + result + ": " + std::to_string(count);
    CAF_MESSAGE(counts);
    // The work reached every corner.
    for (const auto* result : {"nothing", "failed", "refused: no_thread", "refused: no_message",
                               "refused: thread_exists", "refused: thread_changed",
                               "refused: key_used", "refused: too_much_metadata"})
      CAF_CHECK_GREATER(comparison::results[result], 5);
  }
}
