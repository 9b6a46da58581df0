/// Random work on every engine and on a naive store: whatever is asked, both must tell the same.
#define CAF_SUITE store_model
#include "tests/store/engines.hpp"
#include "tests/store/naive_store.hpp"
#include "tests/store/store_generator.hpp"

#include <iterator>
#include <map>

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

constexpr unsigned seeds = 200;
constexpr int steps = 200;

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
  std::string out =
      text_of(store.ask(list_accounts{})) + text_of(store.ask(list_audit{10'000}))
      + text_of(store.ask(read_usage{.first_day = -9, .last_day = 9, .limit = 1'000}));
  for (const auto& tenant : tenants) {
    out += "\ntotals " + text_of(store.ask(read_totals{tenant})) + "\n";
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
    for (const auto& tenant : tenants)
      check_same("totals after a commit", text_of(model_.ask(read_totals{tenant})),
                 text_of(store_->ask(read_totals{tenant})));
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
    for (const auto* result :
         {"nothing", "failed", "refused: no_thread", "refused: no_message",
          "refused: thread_exists", "refused: thread_changed", "refused: key_used",
          "refused: too_much_metadata", "refused: too_many_threads", "refused: too_many_bytes",
          "refused: no_account", "refused: key_taken"})
      CAF_CHECK_GREATER(comparison::results[result], 5);
  }
}
