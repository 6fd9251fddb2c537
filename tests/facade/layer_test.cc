#include "lamina/lamina.h"
#include "lamina/testing/matchers.h"

namespace lamina::testing {
namespace {

using ::testing::HasSubstr;

std::string MountError(const Stack& stack, const MountOptions& options = {}) {
  const absl::StatusOr<FsPtr> fs = stack.Mount(options);
  return fs.ok() ? "mounted" : std::string(fs.status().message());
}

TEST(NamedLayer, EveryVerbShowsInTheMount) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("base")
                           .Dir("/d", 0700)
                           .File("/d/f", "body", 0600)
                           .FileOfSize("/d/big", 5000, Seed{7})
                           .Symlink("/d/s", "f")
                           .Hardlink("/d/h", "/d/f")
                           .Fifo("/d/p", 0620)
                           .Xattr("/d/f", "user.a", "v")
                           .Owner("/d/f", 5, 6)
                           .Mtime("/d", InstantFromSeconds(77)))
                 .MountOrDie();
  EXPECT_THAT(*fs, HasMode("/d", 0700));
  EXPECT_THAT(*fs, HasFile("/d/f", "body"));
  EXPECT_THAT(*fs, HasFile("/d/big", PatternBytes(5000, Seed{7})));
  EXPECT_THAT(*fs, HasSymlink("/d/s", "f"));
  EXPECT_THAT(*fs, SameInode("/d/f", "/d/h"));
  EXPECT_EQ(fs->Lstat("/d/p")->type, FileType::kFifo);
  EXPECT_THAT(fs->Getxattr("/d/h", "user.a"), IsOkAndHolds("v"));
  EXPECT_EQ(fs->Lstat("/d/f")->gid, 6u);
  EXPECT_EQ(fs->Lstat("/d")->mtime, InstantFromSeconds(77));
}

TEST(NamedLayer, MarksHideWhatIsBelow) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/a", "1").File("/d/x", "2"))
                 .Push(NamedLayer("top").Whiteout("/a").Opaque("/d").File("/d/y", "3"))
                 .MountOrDie();
  EXPECT_THAT(*fs, Shows("/d/\n  y \"3\""));
}

TEST(NamedLayer, MarksFollowTheUserxattrOption) {
  const MountOptions options{.overlay = {.userxattr = true}};
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/d/x", "2"))
                 .Push(NamedLayer("top").Opaque("/d"))
                 .MountOrDie(options);
  EXPECT_THAT(*fs, HasNoEntry("/d/x"));
  EXPECT_THAT(fs->Layer("top").Getxattr("/d", "user.overlay.opaque"), IsOkAndHolds("y"));
}

TEST(NamedLayer, AMistakeIsAnErrorOfTheMount) {
  EXPECT_EQ(MountError(Stack().Push(NamedLayer("base").File("/a", "1").File("/a", "2"))),
            "layer \"base\": File(\"/a\"): File exists [EEXIST]");
  EXPECT_EQ(MountError(Stack().Push(NamedLayer("base").File("/a", "1").Dir("/a/b"))),
            "layer \"base\": Dir(\"/a/b\"): Not a directory [ENOTDIR]");
  EXPECT_EQ(MountError(Stack().Push(NamedLayer("base").Dir("relative"))),
            "layer \"base\": Dir(\"relative\"): Invalid argument [EINVAL]");
}

TEST(Stack, ChecksItsLayers) {
  EXPECT_EQ(MountError(Stack()), "a stack needs at least one layer");
  EXPECT_EQ(MountError(Stack().Push(NamedLayer("a")).Push(NamedLayer("a"))),
            "the name \"a\" stands for a pair of layers");
  EXPECT_EQ(MountError(Stack().Push(NamedLayer("upper"))),
            "the name \"upper\" stands for a pair of layers");
  EXPECT_EQ(MountError(Stack().Push(NamedLayer(""))), "a layer needs a name");
}

TEST(Stack, RefusesOptionsThatExcludeEachOther) {
  const MountOptions options{
      .overlay = {.redirect_dir = RedirectDir::kOff, .metacopy = Toggle::kOn}};
  EXPECT_EQ(MountError(Stack().Push(NamedLayer("a")), options), "mount: Invalid argument [EINVAL]");
}

TEST(Stack, TheWritableLayerMayBeginWithSomething) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/a", "old"))
                 .Upper(NamedLayer("mine").File("/a", "new"))
                 .MountOrDie();
  EXPECT_THAT(fs->LayerNames(), ::testing::ElementsAre("upper", "base"));
  EXPECT_THAT(*fs, ComesFrom("/a", "upper"));
}

TEST(LayerFromDirectory, ReadsTheHost) {
  FsPtr fs = Stack().Push(LayerFromDirectory(LAMINA_SOURCE_DIR "/tests/facade")).MountOrDie();
  EXPECT_THAT(fs->LayerNames(), ::testing::ElementsAre("upper", "facade"));
  EXPECT_THAT(*fs, HasFile("/layer_test.cc", HasSubstr("ReadsTheHost")));
}

TEST(LayerFromDirectory, AMissingOneIsAnErrorOfTheMount) {
  const absl::StatusOr<FsPtr> fs = Stack().Push(LayerFromDirectory("/no/such/dir")).Mount();
  EXPECT_THAT(fs, StatusIs(absl::StatusCode::kNotFound, HasSubstr("/no/such/dir")));
}

TEST(LayerFromTar, NoTarIsAnErrorOfTheMount) {
  EXPECT_THAT(Stack().Push(LayerFromTar("junk")).Mount(), ::testing::Not(IsOk()));
}

// One ustar header for an empty file "f", and the end of the tar.
std::string TarOfOneEmptyFile() {
  std::string header(512, '\0');
  header.replace(0, 1, "f");
  header.replace(100, 7, "0000644");
  header.replace(108, 7, "0000000");
  header.replace(116, 7, "0000000");
  header.replace(124, 11, "00000000000");
  header.replace(136, 11, "00000000000");
  header.replace(148, 8, "        ");
  header[156] = '0';
  header.replace(257, 5, "ustar");
  header.replace(263, 2, "00");
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  std::string digits = "000000";
  for (std::size_t i = 6; i-- > 0; sum /= 8) digits[i] = static_cast<char>('0' + sum % 8);
  header.replace(148, 6, digits);
  header[154] = '\0';
  return header + std::string(1024, '\0');
}

TEST(LayerFromTar, ReadsATar) {
  FsPtr fs = Stack().Push(LayerFromTar(TarOfOneEmptyFile(), "image")).MountOrDie();
  EXPECT_THAT(*fs, HasFile("/f", ""));
  EXPECT_THAT(*fs, ComesFrom("/f", "image"));
}

}  // namespace
}  // namespace lamina::testing
