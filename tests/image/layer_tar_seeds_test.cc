// The seeds of the layer tar fuzzer: small tars, one for each part of the format. They are made
// here and kept in fuzz/corpus/layer_tar; LAMINA_UPDATE_GOLDEN=1 writes them anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <ostream>
#include <string>

#include "absl/strings/str_format.h"
#include "tests/image/tar_builder.h"

namespace lamina {
namespace {

using test::RawHeader;
using test::TarBuilder;

struct Seed {
  const char* name;
  std::string (*make)();
};
void PrintTo(const Seed& seed, std::ostream* out) { *out << seed.name; }

std::string EveryType() {
  TarBuilder tar;
  tar.Dir("a").File("a/f", "text").Symlink("a/l", "f").Link("a/h", "a/f");
  return tar.Node('3', "c", 5, 1).Node('4', "b", 8, 0).Node('6', "p", 0, 0).Done();
}

std::string Whiteouts() {
  TarBuilder tar;
  tar.File("a/.wh.x", "").File("a/x/f", "").File("b/f", "").File("b/.wh..wh..opq", "");
  return tar.File(".wh..wh.plnk/1", "").Done();
}

std::string Replacements() {
  TarBuilder tar;
  tar.File("a/b/c", "1").File("a", "2").Dir("a").Symlink("a", "b").Link("l", "a");
  return tar.Done();
}

std::string LongNames() {
  TarBuilder tar;
  tar.Long('L', std::string(130, 'n')).File("x", "");
  return tar.Long('K', std::string(130, 't')).Symlink("l", "x").Done();
}

std::string PaxEverything() {
  TarBuilder tar;
  tar.Pax({{"path", "p/q"},
           {"size", "3"},
           {"uid", "70000"},
           {"gid", "70000"},
           {"mtime", "-1.5"},
           {"atime", "2.25"},
           {"ctime", "3"},
           {"SCHILY.xattr.user.a", "v"},
           {"LIBARCHIVE.xattr.user.%62", "dg=="},
           {"comment", "c"}});
  return tar.File("x", "abc").Done();
}

std::string GlobalRecords() {
  RawHeader global;
  global.type = 'g';
  global.name = "g";
  global.body = test::PaxRecord("uid", "9");
  return TarBuilder().Raw(global).File("f", "").Done();
}

std::string SparsePairs() {
  TarBuilder tar;
  tar.Pax({{"GNU.sparse.size", "9000"},
           {"GNU.sparse.offset", "10"},
           {"GNU.sparse.numbytes", "4"},
           {"GNU.sparse.name", "s"}});
  return tar.File("x", "1234").Done();
}

std::string SparseMapRecord() {
  TarBuilder tar;
  tar.Pax({{"GNU.sparse.size", "9000"}, {"GNU.sparse.map", "10,2,5000,2"}});
  return tar.File("x", "1234").Done();
}

std::string SparseInFront() {
  std::string map = "1\n10\n4\n";
  map.resize(512, '\0');
  TarBuilder tar;
  tar.Pax({{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}, {"GNU.sparse.realsize", "9000"}});
  return tar.File("x", map + "1234").Done();
}

std::string SparseOldGnu() {
  RawHeader header;
  header.type = 'S';
  header.name = "s";
  header.magic = std::string("ustar  \0", 8);
  header.size = "00000000004";
  std::string tar = TarBuilder().Raw(header).bytes();
  tar.replace(386, 24,
              std::string("00000000012\0"
                          "00000000002\0",
                          24));
  tar[482] = '\1';
  tar.replace(483, 12, std::string("00000010000\0", 12));
  test::FixChecksum(tar, 0);
  std::string extension(
      "00000000144\0"
      "00000000002\0",
      24);
  extension.resize(512, '\0');
  return tar + extension + TarBuilder().Blocks("1234").Done();
}

std::string Base256() {
  RawHeader header;
  header.name = "f";
  header.size = std::string("\x80\0\0\0\0\0\0\0\0\0\0\x03", 12);
  header.mtime = std::string(12, '\xff');
  header.body = "abc";
  return TarBuilder().Raw(header).Done();
}

std::string DotDot() { return TarBuilder().File("a/../../x", "").Done(); }
std::string ThroughSymlink() { return TarBuilder().Symlink("a", "/").File("a/x", "").Done(); }
std::string OwnTarget() { return TarBuilder().File("d/f", "").Link("d", "d/f").Done(); }
std::string Cut() { return TarBuilder().File("a", std::string(600, 'x')).bytes().substr(0, 1000); }

constexpr Seed kSeeds[] = {
    {"base_256", Base256},
    {"cut", Cut},
    {"dot_dot", DotDot},
    {"every_type", EveryType},
    {"global_records", GlobalRecords},
    {"long_names", LongNames},
    {"own_target", OwnTarget},
    {"pax_everything", PaxEverything},
    {"replacements", Replacements},
    {"sparse_in_front", SparseInFront},
    {"sparse_map_record", SparseMapRecord},
    {"sparse_old_gnu", SparseOldGnu},
    {"sparse_pairs", SparsePairs},
    {"through_symlink", ThroughSymlink},
    {"whiteouts", Whiteouts},
};

class LayerTarSeeds : public testing::TestWithParam<Seed> {};

TEST_P(LayerTarSeeds, IsInTheCorpus) {
  const std::string path =
      absl::StrFormat("%s/fuzz/corpus/layer_tar/%s.tar", LAMINA_SOURCE_DIR, GetParam().name);
  const std::string made = GetParam().make();
  if (std::getenv("LAMINA_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << made;
  }
  std::ifstream file(path, std::ios::binary);
  const std::string kept{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_TRUE(kept == made) << path << ": run with LAMINA_UPDATE_GOLDEN=1 to write it";
}

INSTANTIATE_TEST_SUITE_P(All, LayerTarSeeds, testing::ValuesIn(kSeeds),
                         [](const auto& seed) { return std::string(seed.param.name); });

}  // namespace
}  // namespace lamina
