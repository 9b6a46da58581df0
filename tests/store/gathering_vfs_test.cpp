/// A write-ahead log's file, as SQLite uses it.
#define CAF_SUITE gathering_vfs
#include "tests/store/engines.hpp"

#include "store/gathering_vfs.hpp"
#include "store/sqlite.hpp"

#include <fstream>
#include <iterator>

using namespace lang_agent;
using namespace lang_agent::test;
namespace fs = std::filesystem;

namespace {

struct vfs_fixture {
  temporary_directory directory;
  fs::path path = directory.path() / "db-wal";
  std::string name; // SQLite wants one that outlives the file
  sqlite3_vfs* vfs = sqlite3_vfs_find(store::sqlite::gathering_vfs());
  std::vector<std::max_align_t> memory;
  sqlite3_file* file = nullptr;

  vfs_fixture() {
    std::ofstream{directory.path() / "db"}.flush(); // a log has the permissions of its database
    open();
  }
  ~vfs_fixture() {
    close();
  }

  void open() {
    name = path.string() + std::string(2, '\0');
    memory.assign(static_cast<std::size_t>(vfs->szOsFile) / sizeof(std::max_align_t) + 1, {});
    file = reinterpret_cast<sqlite3_file*>(memory.data());
    constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_WAL;
    CAF_REQUIRE_EQUAL(vfs->xOpen(vfs, name.data(), file, flags, nullptr), SQLITE_OK);
  }

  void close() const {
    CAF_CHECK_EQUAL(file->pMethods->xClose(file), SQLITE_OK);
  }

  void write(const std::string& bytes, std::size_t at) const {
    CAF_CHECK_EQUAL(file->pMethods->xWrite(file, bytes.data(), static_cast<int>(bytes.size()),
                                           static_cast<sqlite3_int64>(at)),
                    SQLITE_OK);
  }

  std::string read(std::size_t size, std::size_t at) const {
    std::string out(size, ' ');
    CAF_CHECK_EQUAL(file->pMethods->xRead(file, out.data(), static_cast<int>(size),
                                          static_cast<sqlite3_int64>(at)),
                    SQLITE_OK);
    return out;
  }

  /// What the system has of it.
  std::string written() const {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
};

const std::string log_header(32, 'L');
const std::string header = "numb" + std::string(4, '\0') + std::string(16, 'h');
const std::string last_header = "numb" + std::string{0, 0, 1, 0} + std::string(16, 'h');
const std::string content(4096, 'p');

} // namespace

CAF_TEST_FIXTURE_SCOPE(gathering_vfs_tests, vfs_fixture)

CAF_TEST(the frames of a transaction are written when it commits) {
  write(log_header, 0);
  write(header, 32);
  write(content, 56);
  write(last_header, 4152);
  CAF_CHECK_EQUAL(written(), "");
  write(content, 4176);
  CAF_CHECK(written() == log_header + header + content + last_header + content);
}

CAF_TEST(whatever looks at the file sees all that was written) {
  const auto* methods = file->pMethods;
  write(log_header, 0);
  CAF_CHECK_EQUAL(methods->xSync(file, SQLITE_SYNC_NORMAL), SQLITE_OK);
  CAF_CHECK_EQUAL(written(), log_header);
  write(header, 32);
  CAF_CHECK_EQUAL(read(24, 32), header);
  CAF_CHECK_EQUAL(written(), log_header + header);
  write(content, 56);
  sqlite3_int64 size = 0;
  CAF_CHECK_EQUAL(methods->xFileSize(file, &size), SQLITE_OK);
  CAF_CHECK_EQUAL(size, 4152);
  write(header, 4152);
  CAF_CHECK_EQUAL(methods->xTruncate(file, 56), SQLITE_OK);
  CAF_CHECK_EQUAL(methods->xSync(file, SQLITE_SYNC_NORMAL), SQLITE_OK);
  CAF_CHECK_EQUAL(written(), log_header + header);
}

CAF_TEST(a header that is written anew is written at once and after what came before) {
  write(log_header, 0);
  write(header, 32);
  write(content, 56);
  write(last_header, 32);
  CAF_CHECK(written() == log_header + last_header + content);
  write(content, 56);
  CAF_CHECK(written() == log_header + last_header + content);
}

CAF_TEST(no more than a bounded part of a transaction is held back) {
  std::string all;
  for (int i = 0; i < 100; ++i)
    for (const auto& x : {header, content}) {
      write(x, all.size());
      all += x;
      CAF_CHECK_LESS_OR_EQUAL(all.size() - written().size(), 64u * 1024);
    }
  CAF_CHECK(written() == all.substr(0, written().size()));
  const std::string largest(65'536, 'P');
  write(last_header, all.size());
  write(largest, all.size() + last_header.size());
  CAF_CHECK(written() == all + last_header + largest);
}

CAF_TEST(what did not commit may be gone with the file and what follows is written all the same) {
  write(header, 0);
  close();
  open();
  CAF_CHECK_EQUAL(written(), "");
  write(last_header, 4120);
  write(content, 4144);
  CAF_CHECK(written() == std::string(4120, '\0') + last_header + content);
}

CAF_TEST_FIXTURE_SCOPE_END()
