#include "actors/import_parser.hpp"
#include "http/thread_codec.hpp"
#include "server/thread_source.hpp"

namespace lang_agent {

namespace {

constexpr std::size_t page_size = 100;
constexpr std::size_t page_bytes = 1024 * 1024;
constexpr std::size_t max_line = 256 * 1024 * 1024;

threads_error no_such_thread(const std::string& id) {
  return threads_error{"there is no thread '" + id + "'"};
}

class offline_source final : public thread_source {
public:
  offline_source(std::unique_ptr<store::thread_store> store, std::string tenant)
      : store_(std::move(store)), tenant_(std::move(tenant)) {}

  page<thread_info> list(const std::string& after) override {
    auto found = store_->ask(list_threads{tenant_, page_size, true, after});
    if (auto* x = std::get_if<page<thread_info>>(&found))
      return std::move(*x);
    throw no_such_thread(after);
  }

  void export_thread(const std::string& id,
                     const std::function<void(std::string_view)>& sink) override {
    const auto found = store_->ask(find_thread{{tenant_, id}});
    const auto* thread = std::get_if<thread_info>(&found);
    if (!thread)
      throw no_such_thread(id);
    sink(http::export_thread_line(*thread));
    std::uint64_t lines = 0;
    list_messages query{{tenant_, id}, page_size};
    query.superseded = true;
    query.max_bytes = page_bytes;
    query.after = 0;
    for (bool more = true; more;) {
      const auto messages = std::get<page<stored_message>>(store_->ask(query));
      for (const auto& x : messages.data) {
        sink(http::export_message_line(x));
        query.after = x.number;
      }
      lines += messages.data.size();
      more = messages.has_more;
    }
    sink(http::export_end_line(id, lines));
  }

  std::vector<thread_info> import(const std::function<std::string()>& next) override {
    import_parser parser{tenant_, max_line};
    std::vector<thread_info> out;
    try {
      while (take(parser, parser.next(), next, out)) {
      }
    } catch (const std::exception& e) {
      discard(parser);
      if (out.empty())
        throw;
      throw threads_error{std::string{e.what()} + "; " + std::to_string(out.size())
                          + " threads that came before it in the file were imported"};
    }
    return out;
  }

  void remove(const std::string& id) override {
    const auto result = change(delete_thread{{tenant_, id}});
    if (std::holds_alternative<refusal>(result))
      throw no_such_thread(id);
    sweep();
  }

private:
  /// False: the import is complete.
  bool take(import_parser& parser, const import_parser::step& step,
            const std::function<std::string()>& next, std::vector<thread_info>& out) {
    if (const auto* why = std::get_if<failure>(&step))
      throw threads_error{why->message};
    if (std::holds_alternative<import_parser::complete>(step))
      return false;
    if (std::holds_alternative<import_parser::need_input>(step)) {
      const auto piece = next();
      parser.feed(piece, piece.empty());
    } else if (const auto* wanted = std::get_if<find_thread>(&step)) {
      if (!std::holds_alternative<std::monostate>(store_->ask(*wanted)))
        throw threads_error{"a thread '" + parser.thread_id() + "' exists already"};
    } else if (const auto* messages = std::get_if<import_messages>(&step)) {
      if (std::holds_alternative<refusal>(change(*messages)))
        throw threads_error{"the thread '" + parser.thread_id() + "' has too many messages"};
    } else {
      out.push_back(std::get<thread_info>(change(std::get<finish_import>(step))));
    }
    return true;
  }

  void discard(const import_parser& parser) {
    const auto unfinished = parser.unfinished();
    if (!unfinished)
      return;
    try {
      change(*unfinished);
      sweep();
    } catch (const store::storage_error&) {
      // The next start clears it away.
    }
  }

  /// What was deleted is gone when the command ends.
  void sweep() {
    while (store_->sweep(0)) {
    }
  }

  change_result change(store_change x) {
    return std::move(store_->commit({&x, 1}).front());
  }

  std::unique_ptr<store::thread_store> store_;
  std::string tenant_;
};

} // namespace

std::unique_ptr<thread_source> offline_threads(std::unique_ptr<store::thread_store> store,
                                               std::string tenant) {
  return std::make_unique<offline_source>(std::move(store), std::move(tenant));
}

} // namespace lang_agent
