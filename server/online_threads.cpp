#include "http/api_client.hpp"
#include "http/thread_reader.hpp"
#include "http/uri.hpp"
#include "server/thread_source.hpp"

namespace lang_agent {

namespace {

class online_source final : public thread_source {
public:
  online_source(base_url url, std::string key) : client_(std::move(url), std::move(key)) {}

  page<thread_info> list(const std::string& after) override {
    auto path = std::string{"/v1/threads?limit=100&order=asc"};
    if (!after.empty())
      path += "&after=" + http::percent_encoded(after);
    return read_list(checked(client_.call("GET", path)));
  }

  void export_thread(const std::string& id,
                     const std::function<void(std::string_view)>& sink) override {
    checked(client_.call("GET", path_of(id) + "/export", {}, sink));
  }

  std::vector<thread_info> import(const std::function<std::string()>& next) override {
    return read_list(checked(client_.call("POST", "/v1/threads/import", next))).data;
  }

  void remove(const std::string& id) override {
    checked(client_.call("DELETE", path_of(id)));
  }

private:
  static std::string path_of(const std::string& id) {
    return "/v1/threads/" + http::percent_encoded(id);
  }

  static http::api_client::reply checked(http::api_client::reply x) {
    if (x.status == 200)
      return x;
    const auto message = http::decode_error_message(x.body);
    throw threads_error{"the server answered " + std::to_string(x.status)
                        + (message.empty() ? "" : ": " + message)};
  }

  static page<thread_info> read_list(const http::api_client::reply& x) {
    auto out = http::decode_thread_list(x.body);
    if (!out)
      throw threads_error{"the server's answer is no list of threads; is it a lang-agent?"};
    return std::move(*out);
  }

  http::api_client client_;
};

} // namespace

std::unique_ptr<thread_source> online_threads(base_url url, std::string key) {
  return std::make_unique<online_source>(std::move(url), std::move(key));
}

} // namespace lang_agent
