#include "http/api_client.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>

#include <array>

namespace lang_agent::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// One call on an open connection, plain or TLS.
template <class Stream>
class conversation_with_server {
public:
  explicit conversation_with_server(Stream& stream) : stream_(stream) {}

  /// A server that refuses may answer and close before it has read everything: what it says counts
  /// more than the failed write.
  void send(const beast::http::request<beast::http::empty_body>& head,
            const api_client::source& body) {
    beast::http::request_serializer<beast::http::empty_body> serializer{head};
    beast::http::write_header(stream_, serializer);
    if (!body)
      return;
    error_code failed;
    for (auto piece = body(); !piece.empty() && !failed; piece = body())
      asio::write(stream_, beast::http::make_chunk(asio::buffer(piece)), failed);
    if (!failed)
      asio::write(stream_, beast::http::make_chunk_last(), failed);
  }

  api_client::reply receive(bool to_head, const api_client::sink& into) {
    beast::http::response_parser<beast::http::buffer_body> parser;
    parser.body_limit(boost::none);
    parser.skip(to_head);
    beast::http::read_header(stream_, buffer_, parser);
    api_client::reply out{static_cast<int>(parser.get().result_int())};
    std::array<char, 64 * 1024> piece{};
    while (!parser.is_done()) {
      auto& body = parser.get().body();
      body.data = piece.data();
      body.size = piece.size();
      error_code ec;
      beast::http::read(stream_, buffer_, parser, ec);
      if (ec && ec != beast::http::error::need_buffer)
        throw boost::system::system_error{ec};
      const std::string_view got{piece.data(), piece.size() - body.size};
      if (into && out.status == 200)
        into(got);
      else
        out.body += got;
    }
    return out;
  }

private:
  Stream& stream_;
  beast::flat_buffer buffer_;
};

template <class Stream>
api_client::reply exchange(Stream& stream,
                           const beast::http::request<beast::http::empty_body>& head,
                           const api_client::source& body, const api_client::sink& into) {
  conversation_with_server<Stream> call{stream};
  call.send(head, body);
  return call.receive(head.method() == beast::http::verb::head, into);
}

} // namespace

api_client::reply api_client::call(std::string_view method, const std::string& path,
                                   const source& body, const sink& into) const {
  beast::http::request<beast::http::empty_body> head;
  head.method_string({method.data(), method.size()});
  head.target(url_.path + path);
  head.set(beast::http::field::host, url_.authority);
  head.set(beast::http::field::authorization, "Bearer " + key_);
  head.set(beast::http::field::user_agent, "lang-agent");
  head.set(beast::http::field::connection, "close");
  if (body)
    head.chunked(true);
  try {
    asio::io_context context;
    tcp::socket socket{context};
    asio::connect(socket, tcp::resolver{context}.resolve(url_.host, std::to_string(url_.port)));
    if (!url_.tls)
      return exchange(socket, head, body, into);
    asio::ssl::context tls{asio::ssl::context::tls_client};
    tls.set_default_verify_paths();
    tls.set_verify_mode(asio::ssl::verify_peer);
    asio::ssl::stream<tcp::socket> stream{std::move(socket), tls};
    stream.set_verify_callback(asio::ssl::host_name_verification{url_.host});
    SSL_set_tlsext_host_name(stream.native_handle(), url_.host.c_str());
    stream.handshake(asio::ssl::stream_base::client);
    return exchange(stream, head, body, into);
  } catch (const boost::system::system_error& e) {
    throw call_error{"calling " + url_.authority + " failed: " + e.code().message()};
  }
}

} // namespace lang_agent::http
