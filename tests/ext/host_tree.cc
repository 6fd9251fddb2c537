#include "tests/ext/host_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "lamina/base/check.h"
#include "tests/store/split_mix.h"

namespace lamina::test {
namespace {

class Drawer {
 public:
  Drawer(const std::filesystem::path& dir, std::uint64_t seed)
      : random_(seed), dirs_{dir.string()} {}

  void Run() {
    const std::uint64_t nodes = 10 + random_.Below(70);
    for (std::uint64_t index = 0; index < nodes; ++index) DrawNode(index);
    if (random_.Below(4) == 0) DrawLongDirectory();
    for (auto each = made_.rbegin(); each != made_.rend(); ++each) Decorate(*each);
    for (auto each = dirs_.rbegin(); each != dirs_.rend(); ++each) Decorate(*each);
  }

 private:
  std::string PlaceFor(std::uint64_t index) {
    std::string name = "n" + std::to_string(index);
    if (random_.Below(8) == 0) name.append(random_.Below(200), 'x');
    return dirs_[random_.Below(dirs_.size())] + "/" + name;
  }

  void DrawNode(std::uint64_t index) {
    const std::string path = PlaceFor(index);
    switch (random_.Below(10)) {
      case 0:
      case 1:
        LAMINA_CHECK(mkdir(path.c_str(), 0755) == 0);
        dirs_.push_back(path);
        return;
      case 2: {
        const std::string target(1 + random_.Below(random_.Below(2) == 0 ? 59 : 900), 't');
        LAMINA_CHECK(symlink(target.c_str(), path.c_str()) == 0);
        break;
      }
      case 3:
        if (files_.empty()) return;
        LAMINA_CHECK(link(files_[random_.Below(files_.size())].c_str(), path.c_str()) == 0);
        return;
      case 4:
        DrawSpecial(path);
        break;
      default:
        DrawFile(path);
        files_.push_back(path);
    }
    made_.push_back(path);
  }

  void DrawSpecial(const std::string& path) {
    const std::array<mode_t, 4> types = {S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK};
    const mode_t type = types[geteuid() == 0 ? random_.Below(4) : 0];
    const dev_t device = makedev(random_.Below(300), random_.Below(70000));
    LAMINA_CHECK(mknod(path.c_str(), type | 0644, device) == 0);
  }

  void DrawFile(const std::string& path) {
    const int file = open(path.c_str(), O_CREAT | O_WRONLY | O_EXCL, 0644);
    LAMINA_CHECK(file >= 0);
    const std::uint64_t pieces = random_.Below(4);
    std::uint64_t at = 0;
    for (std::uint64_t piece = 0; piece < pieces; ++piece) {
      if (random_.Below(3) == 0) at += random_.Below(100'000);
      std::string text(random_.Below(random_.Below(4) == 0 ? 300'000 : 3000), '\0');
      for (char& letter : text) letter = static_cast<char>('a' + random_.Below(26));
      LAMINA_CHECK(pwrite(file, text.data(), text.size(), static_cast<off_t>(at)) ==
                   static_cast<ssize_t>(text.size()));
      at += text.size();
    }
    if (random_.Below(5) == 0) {
      LAMINA_CHECK(ftruncate(file, static_cast<off_t>(at + random_.Below(1U << 21U))) == 0);
    }
    close(file);
  }

  // So many names that mke2fs or e2fsck would hash them.
  void DrawLongDirectory() {
    const std::string dir = dirs_.front() + "/long";
    LAMINA_CHECK(mkdir(dir.c_str(), 0755) == 0);
    for (int index = 0; index < 400; ++index) {
      const std::string path = dir + "/a_rather_long_name_" + std::to_string(index);
      LAMINA_CHECK(mknod(path.c_str(), S_IFREG | 0600, 0) == 0);
    }
    dirs_.push_back(dir);
  }

  void Decorate(const std::string& path) {
    struct stat stat {};
    LAMINA_CHECK(lstat(path.c_str(), &stat) == 0);
    const bool has_mode = !S_ISLNK(stat.st_mode);
    if (geteuid() == 0) {
      const std::array<std::uint32_t, 4> ids = {0, 7, 1000, 70000};
      LAMINA_CHECK(lchown(path.c_str(), ids[random_.Below(4)], ids[random_.Below(4)]) == 0);
    }
    if (has_mode) {
      const mode_t mode = 0400 | static_cast<mode_t>(random_.Below(07777));
      LAMINA_CHECK(chmod(path.c_str(), S_ISDIR(stat.st_mode) ? mode | 0700 : mode) == 0);
    }
    if (S_ISREG(stat.st_mode) || S_ISDIR(stat.st_mode)) SetXattrs(path);
    const timespec times[2] = {
        {1'600'000'000, 5}, {1'000'000'000 + static_cast<time_t>(random_.Below(700'000'000)), 0}};
    LAMINA_CHECK(utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
  }

  // In the inode, in a block, or both. A host file system without xattrs goes without.
  void SetXattrs(const std::string& path) {
    for (std::uint64_t count = random_.Below(4); count > 0; --count) {
      const std::string key = "user.k" + std::to_string(random_.Below(50));
      const std::string value(random_.Below(random_.Below(3) == 0 ? 200 : 20), 'v');
      (void)lsetxattr(path.c_str(), key.c_str(), value.data(), value.size(), 0);
    }
  }

  SplitMix64 random_;
  std::vector<std::string> dirs_;
  std::vector<std::string> files_;
  std::vector<std::string> made_;
};

}  // namespace

void DrawHostTree(const std::filesystem::path& dir, std::uint64_t seed) { Drawer(dir, seed).Run(); }

}  // namespace lamina::test
