#include "server/threads_command.hpp"

#include "config/loader.hpp"
#include "config/units.hpp"
#include "http/api_client.hpp"
#include "http/message_editing.hpp"
#include "http/thread_codec.hpp"
#include "server/progress.hpp"
#include "server/storage.hpp"
#include "server/thread_source.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <memory>

namespace lang_agent {

namespace {

struct file_closer {
  void operator()(std::FILE* x) const {
    if (x != stdin && x != stdout)
      std::fclose(x);
  }
};
using file_ptr = std::unique_ptr<std::FILE, file_closer>;

file_ptr open_file(const std::string& name, const char* mode, std::FILE* standard) {
  if (name.empty() || name == "-")
    return file_ptr{standard};
  file_ptr out{std::fopen(name.c_str(), mode)};
  if (!out)
    throw threads_error{"cannot open the file " + name};
  return out;
}

void write(std::FILE* to, std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), to) != text.size())
    throw threads_error{"cannot write the output; is the disk full?"};
}

void flush(std::FILE* to) {
  if (std::fflush(to) != 0)
    throw threads_error{"cannot write the output; is the disk full?"};
}

/// One line for a person. What users and models wrote must not command the terminal.
void say(std::string line) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(line[i]); };
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool is_c0 = (byte(i) < 0x20 && line[i] != '\n' && line[i] != '\t') || line[i] == 0x7f;
    const bool is_c1 = byte(i) == 0xc2 && i + 1 < line.size() && byte(i + 1) < 0xa0;
    if (is_c0)
      line[i] = '?';
    else if (is_c1)
      line.replace(i, 2, "?");
  }
  write(stdout, line + "\n");
}

// -- sources --------------------------------------------------------------------------------------

std::unique_ptr<thread_source> open_online(const threads_options& options) {
  auto url = parse_base_url(options.url);
  if (!url)
    throw threads_error{"--url must look like http://localhost:8488"};
  if (url->path.ends_with("/v1")) // as in the base_url of OpenAI's clients
    url->path.resize(url->path.size() - 3);
  auto key = options.key;
  if (!options.key_env.empty()) {
    const char* value = std::getenv(options.key_env.c_str());
    if (!value)
      throw threads_error{"the environment variable " + options.key_env + " is not set"};
    key = value;
  }
  if (key.empty() && !is_loopback(url->host))
    throw threads_error{"say which key to use, best with --key-env NAME"};
  return online_threads(*url, key.empty() ? well_known_key : key);
}

std::string first_tenant(const settings& config) {
  if (config.tenants.empty())
    throw threads_error{"the config has no tenant; say whose threads with --tenant"};
  return config.tenants.front().name;
}

std::unique_ptr<thread_source> open_offline(const threads_options& options) {
  config_overrides overrides;
  overrides.data_dir = options.data_dir;
  overrides.without_secrets = true;
  const auto config = load_settings(options.config_file, overrides);
  if (config.store.engine == store_engine::memory)
    throw threads_error{"the config keeps threads in memory; ask the running server with --url"};
  const auto file = database_file(config.store);
  const bool may_be_new = options.action == threads_action::import;
  if (!may_be_new && !std::filesystem::exists(file))
    throw threads_error{"there is no database " + file.string()
                        + "; name its directory with --data-dir, or a running server with --url"};
  try {
    return offline_threads(open_store(config.store),
                           options.tenant.empty() ? first_tenant(config) : options.tenant);
  } catch (const store::storage_error& e) {
    throw threads_error{std::string{e.what()}
                        + "\nIf a server runs on it, ask that one: --url "
                          "http://localhost:8488 --key KEY"};
  }
}

std::vector<thread_info> all_threads(thread_source& source) {
  std::vector<thread_info> out;
  for (bool more = true; more;) {
    auto next = source.list(out.empty() ? "" : out.back().id);
    more = next.has_more && !next.data.empty();
    out.insert(out.end(), next.data.begin(), next.data.end());
  }
  return out;
}

// -- output ---------------------------------------------------------------------------------------

std::string date(unix_ms x) {
  const auto seconds = static_cast<std::time_t>(x / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

/// Columns of a terminal that a text takes, about: its characters.
std::size_t width(std::string_view text) {
  std::size_t out = 0;
  for (const char c : text)
    out += (c & 0xc0) != 0x80;
  return out;
}

void print_table(const std::vector<thread_info>& threads) {
  std::size_t id_width = 2;
  for (const auto& x : threads)
    id_width = std::max(id_width, width(x.id));
  const auto row = [&](std::string_view id, const auto&... cells) {
    std::string padded{id};
    padded.append(id_width - width(id), ' ');
    say(fmt::format("{}  {:<19}  {:<19}  {:>6}  {:>8}  {:>8}", padded, cells...));
  };
  row("ID", "CREATED (UTC)", "LAST TURN (UTC)", "TURNS", "MESSAGES", "TOKENS");
  for (const auto& x : threads)
    row(x.id, date(x.created), date(x.updated), x.turns, x.messages, x.tokens);
}

void print_threads(const std::vector<thread_info>& threads, bool json) {
  if (!json) {
    print_table(threads);
    return;
  }
  for (const auto& x : threads)
    write(stdout, http::encode_thread(x, false) + "\n");
}

std::string_view name_of(role who) {
  switch (who) {
  case role::system:
    return "system";
  case role::developer:
    return "developer";
  case role::user:
    return "user";
  case role::assistant:
    return "assistant";
  case role::tool:
    return "tool";
  case role::function:
    return "function";
  }
  return "?";
}

void print_message(std::string_view number, const chat_message& x, std::string_view remark) {
  auto text = http::text_of(x);
  if (text.empty())
    text = x.json; // calls and the like
  say(fmt::format("\n{} {}{}\n{}", number, name_of(x.who), remark, text));
}

/// Prints the lines of an export for a person.
class reader {
public:
  void operator()(std::string_view piece) {
    unread_ += piece;
    std::size_t begin = 0;
    for (auto end = unread_.find('\n'); end != std::string::npos; end = unread_.find('\n', begin)) {
      print(http::decode_import_line({unread_.data() + begin, end - begin}, 1));
      begin = end + 1;
    }
    unread_.erase(0, begin);
  }

private:
  template <class Line>
  static void print(const Line& line) {
    if (const auto* thread = std::get_if<thread_info>(&line)) {
      say(fmt::format("thread     {}\ncreated    {} UTC\nlast turn  {} UTC\nturns      {}",
                      thread->id, date(thread->created), date(thread->updated), thread->turns));
      for (const auto& [name, value] : thread->metadata)
        say(fmt::format("metadata   {} = {}", name, value));
      for (const auto& x : thread->instructions)
        print_message("-", *x, "");
    } else if (const auto* message = std::get_if<stored_message>(&line)) {
      print_message(http::message_id(message->number), *message->message,
                    message->superseded ? " (superseded)" : "");
    }
  }

  std::string unread_;
};

// -- actions --------------------------------------------------------------------------------------

void show(thread_source& source, const threads_options& options) {
  for (const auto& id : options.ids) {
    if (options.json)
      source.export_thread(id, [](std::string_view piece) { write(stdout, piece); });
    else
      source.export_thread(id, reader{});
  }
}

/// What could not be done for some threads, while it was done for the others.
class shortfall {
public:
  void add(const std::string& what) {
    std::fputs(("lang-agent: " + what + "\n").c_str(), stderr);
    ++count_;
  }

  int exit_code() const {
    return count_ == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
  }

private:
  std::size_t count_ = 0;
};

/// Appends a whole thread, or nothing: one that is cut must not stand among the others.
void export_one(thread_source& source, const std::string& id, std::FILE* out) {
  const file_ptr buffer{std::tmpfile()};
  if (!buffer)
    throw std::runtime_error{"cannot make a temporary file"};
  source.export_thread(id, [&](std::string_view piece) { write(buffer.get(), piece); });
  flush(buffer.get());
  std::rewind(buffer.get());
  std::string piece(64 * 1024, '\0');
  while (const auto n = std::fread(piece.data(), 1, piece.size(), buffer.get()))
    write(out, {piece.data(), n});
}

int export_threads(thread_source& source, const threads_options& options) {
  auto ids = options.ids;
  if (options.all)
    for (const auto& x : all_threads(source))
      ids.push_back(x.id);
  if (ids.empty() && !options.all)
    throw threads_error{"name the threads to export, or say --all"};
  // An older file stays until the new one is complete.
  const bool to_file = !options.file.empty() && options.file != "-";
  const auto part = to_file ? options.file + ".part" : options.file;
  const auto out = open_file(part, "wb", stdout);
  shortfall missing;
  {
    progress bar{"exporting", ids.size(), "threads"};
    for (const auto& id : ids) {
      try {
        export_one(source, id, out.get());
      } catch (const threads_error& e) {
        missing.add("thread '" + id + "' is left out: " + e.what());
      } catch (const http::call_error& e) {
        missing.add("thread '" + id + "' is left out: " + e.what());
      }
      bar.add(1);
    }
  }
  flush(out.get());
  if (to_file)
    std::filesystem::rename(part, options.file);
  return missing.exit_code();
}

void import_threads(thread_source& source, const threads_options& options) {
  const auto in = open_file(options.file, "rb", stdin);
  std::error_code unknown;
  const auto size = std::filesystem::file_size(options.file, unknown);
  std::vector<thread_info> imported;
  {
    progress bar{"importing", unknown ? 0 : size, "bytes"};
    imported = source.import([&] {
      std::string piece(64 * 1024, '\0');
      piece.resize(std::fread(piece.data(), 1, piece.size(), in.get()));
      if (piece.empty() && std::ferror(in.get()))
        throw threads_error{"cannot read the input"};
      bar.add(piece.size());
      return piece;
    });
  }
  print_threads(imported, options.json);
}

/// Deleting cannot be undone.
bool is_sure(const threads_options& options) {
  if (options.yes)
    return true;
  if (isatty(STDIN_FILENO) != 1)
    throw threads_error{"deleting cannot be undone; say --yes if you mean it"};
  std::fputs(fmt::format("Delete {} threads for good? [y/N] ", options.ids.size()).c_str(), stderr);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

int remove(thread_source& source, const threads_options& options) {
  if (!is_sure(options))
    return EXIT_FAILURE;
  shortfall left;
  progress bar{"deleting", options.ids.size(), "threads"};
  for (const auto& id : options.ids) {
    try {
      source.remove(id);
      if (options.json)
        write(stdout, http::encode_thread_deleted(id) + "\n");
    } catch (const threads_error& e) {
      left.add("thread '" + id + "' is not deleted: " + e.what());
    }
    bar.add(1);
  }
  return left.exit_code();
}

} // namespace

int run_threads_command(const threads_options& options) {
  for (const auto& id : options.ids)
    if (!http::is_thread_id(id))
      throw threads_error{"'" + id + "' is no thread id: it has 1 to 128 printable characters"};
  const auto source = options.url.empty() ? open_offline(options) : open_online(options);
  int result = EXIT_SUCCESS;
  switch (options.action) {
  case threads_action::list:
    print_threads(all_threads(*source), options.json);
    break;
  case threads_action::show:
    show(*source, options);
    break;
  case threads_action::export_:
    result = export_threads(*source, options);
    break;
  case threads_action::import:
    import_threads(*source, options);
    break;
  case threads_action::remove:
    result = remove(*source, options);
    break;
  }
  flush(stdout);
  return result;
}

} // namespace lang_agent
