#include "http/upstream_probe.hpp"

#include "http/response_parser.hpp"
#include "http/upstream_request.hpp"

#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>

#include <spdlog/spdlog.h>

namespace lang_agent::http {

namespace asio = boost::asio;
namespace beast = boost::beast;

namespace {

/// For the answer, once there is a connection.
constexpr std::chrono::seconds answer_time{5};

bool is_healthy(int status) {
  // Whoever refuses is there; what is wrong with a key shows with turns. 407 is of a proxy, which
  // then lets nothing through.
  return status < 500 && status != 407;
}

/// One probe over one link. Lives on the link's thread.
class upstream_probe final : public std::enable_shared_from_this<upstream_probe> {
public:
  upstream_probe(std::shared_ptr<link_pool> pool, std::function<void(bool)> done)
      : pool_(std::move(pool)),
        done_(std::move(done)),
        link_(pool_->make(pool_->threads.here().get_executor())),
        request_(upstream_head(pool_->options, "GET", "/models", 0)
                 + "accept: application/json\r\nconnection: close\r\n\r\n"),
        ends_(clock::now() + pool_->options.connect_timeout + pool_->options.tls_timeout
              + answer_time) {
    start_parser();
  }

  void start() {
    asio::post(link_->executor(), [self = shared_from_this()] {
      self->link_->connect(self->ends_, [self](std::optional<upstream_fault> fault) {
        if (fault)
          self->finish(false, fault->detail);
        else
          self->ask();
      });
    });
  }

private:
  void start_parser() {
    parser_.emplace([](std::string_view) {});
  }

  void ask() {
    link_->on_deadline = [weak = weak_from_this()] {
      if (const auto self = weak.lock())
        self->finish(false, "no answer in time");
    };
    link_->expire_at(ends_);
    link_->write(
        {asio::buffer(request_)}, [] {},
        [self = shared_from_this()](const boost::system::error_code& ec, std::size_t) {
          if (ec)
            self->finish(false, ec.message());
        });
    read();
  }

  void read() {
    link_->read(
        [self = shared_from_this()](const boost::system::error_code& ec, std::string_view bytes) {
          if (ec)
            self->finish(false, ec.message());
          else
            self->on_read(bytes);
        });
  }

  void on_read(std::string_view bytes) {
    input_.commit(asio::buffer_copy(input_.prepare(bytes.size()), asio::buffer(bytes)));
    while (input_.size() > 0 && done_) {
      beast::error_code ec;
      input_.consume(parser_->put(input_.data(), ec));
      if (parser_->is_header_done() && !parser_->is_interim())
        finish(is_healthy(parser_->status()), "HTTP " + std::to_string(parser_->status()));
      else if (parser_->is_header_done())
        start_parser();
      else if (ec && ec != beast::http::error::need_more)
        finish(false, ec.message());
      else
        break;
    }
    if (done_)
      read();
  }

  void finish(bool healthy, const std::string& detail) {
    const auto done = std::move(done_);
    done_ = nullptr;
    if (!done)
      return;
    link_->close();
    spdlog::debug("upstream probed name={} healthy={} detail=\"{}\"", pool_->options.name, healthy,
                  detail);
    done(healthy);
  }

  std::shared_ptr<link_pool> pool_;
  std::function<void(bool)> done_; ///< gone once it was called
  std::shared_ptr<upstream_link> link_;
  std::string request_;
  clock::time_point ends_;
  std::optional<response_parser> parser_;
  beast::flat_buffer input_;
};

} // namespace

void start_probe(const std::shared_ptr<link_pool>& pool, std::function<void(bool)> done) {
  std::make_shared<upstream_probe>(pool, std::move(done))->start();
}

} // namespace lang_agent::http
