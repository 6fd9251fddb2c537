// PagedBytes against a plain model: a map of whole pages, copied when shared. The model counts who
// shares what by looking at every other model, and the counts must agree exactly.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lamina/store/paged_bytes.h"
#include "tests/store/split_mix.h"

namespace lamina {
namespace {

constexpr std::uint64_t kPage = kPageBytes;

// What a PagedBytes should be, with nothing clever in it.
class ModelFile {
 public:
  using Page = std::array<std::byte, kPageBytes>;

  std::uint64_t size = 0;
  std::map<std::uint64_t, std::shared_ptr<Page>> pages;

  std::byte ByteAt(std::uint64_t offset) const {
    const auto it = pages.find(offset / kPage);
    return it == pages.end() ? std::byte{0} : (*it->second)[offset % kPage];
  }

  Page& Own(std::uint64_t index) {
    std::shared_ptr<Page>& page = pages[index];
    page = page == nullptr ? std::make_shared<Page>() : std::make_shared<Page>(*page);
    return *page;
  }

  void Write(std::uint64_t offset, const std::vector<std::byte>& from) {
    for (std::size_t done = 0; done < from.size();) {
      const std::uint64_t at = offset + done;
      const std::size_t count = std::min<std::size_t>(from.size() - done, kPage - at % kPage);
      std::memcpy(Own(at / kPage).data() + at % kPage, from.data() + done, count);
      done += count;
    }
    if (!from.empty()) size = std::max(size, offset + from.size());
  }

  void Zero(std::uint64_t offset, std::uint64_t length) {
    if (length == 0 || !pages.contains(offset / kPage)) return;
    Page& page = Own(offset / kPage);
    std::fill_n(page.begin() + offset % kPage, length, std::byte{0});
  }

  void Resize(std::uint64_t new_size) {
    const std::uint64_t old_size = size;
    size = new_size;
    if (new_size > old_size) return;
    const std::uint64_t page_end = (new_size + kPage - 1) / kPage * kPage;
    pages.erase(pages.lower_bound(page_end / kPage), pages.end());
    Zero(new_size, std::min(page_end, old_size) - new_size);
  }

  void PunchHole(std::uint64_t offset, std::uint64_t length) {
    const std::uint64_t end = offset + length;
    const std::uint64_t up = (offset + kPage - 1) / kPage * kPage;
    const std::uint64_t down = end / kPage * kPage;
    if (up > down) return Zero(offset, length);  // inside one page
    Zero(offset, up - offset);
    Zero(down, end - down);
    pages.erase(pages.lower_bound(up / kPage), pages.lower_bound(down / kPage));
  }

  void Provision(std::uint64_t offset, std::uint64_t length) {
    if (length == 0) return;
    for (std::uint64_t page = offset / kPage; page <= (offset + length - 1) / kPage; ++page) {
      if (!pages.contains(page)) Own(page);
    }
  }
};

class PagedBytesDifferential : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  void Run(int steps) {
    const std::uint64_t live_before = PagesLive();
    for (int step = 0; step < steps && !HasFailure(); ++step) {
      SCOPED_TRACE("replay: seed=" + std::to_string(GetParam()) + " step=" + std::to_string(step));
      const std::size_t at = random_.Below(kFiles);
      Change(at);
      CheckCounts(at);
      CheckSomewhere(at);
      if (step % 50 == 0) CheckAllBytes(at);
    }
    for (PagedBytes& file : files_) file = PagedBytes();
    EXPECT_EQ(PagesLive(), live_before);
  }

 private:
  static constexpr std::size_t kFiles = 5;
  static constexpr std::uint64_t kFar = std::uint64_t{1} << 55;

  // Near the start (small pages), in the first 40 pages, or far out.
  std::uint64_t AnyOffset() {
    switch (random_.Below(8)) {
      case 0:
      case 1:
      case 2:
        return random_.Below(1500);
      case 3:
        return random_.Below(40) * kPage;
      case 4:
        return kFar + random_.Below(20 * kPage);
      default:
        return random_.Below(40 * kPage);
    }
  }

  std::uint64_t AnyLength() {
    const std::uint64_t kinds[] = {random_.Below(40), random_.Below(1200), random_.Below(3 * kPage),
                                   random_.Below(4) * kPage};
    return kinds[random_.Below(4)];
  }

  std::vector<std::byte> AnyBytes() {
    std::vector<std::byte> bytes(AnyLength());
    for (std::byte& b : bytes) b = static_cast<std::byte>(random_.Next());
    return bytes;
  }

  void Change(std::size_t at) {
    PagedBytes& file = files_[at];
    ModelFile& model = models_[at];
    const std::uint64_t offset = AnyOffset();
    const std::uint64_t length = AnyLength();
    switch (random_.Below(16)) {
      case 0:
      case 1: {
        const std::size_t from = random_.Below(kFiles);
        file = files_[from].Clone();
        model = models_[from];
        break;
      }
      case 2:
      case 3:
        file.Resize(offset);
        model.Resize(offset);
        break;
      case 4:
        file.Resize(model.size);
        model.Resize(model.size);
        break;
      case 5:
      case 6:
        file.PunchHole(offset, length);
        model.PunchHole(offset, length);
        break;
      case 7:
        file.Provision(offset, length);
        model.Provision(offset, length);
        break;
      case 8:
        file = PagedBytes();
        model = ModelFile();
        break;
      default: {
        const std::vector<std::byte> bytes = AnyBytes();
        CheckMissing(at, offset, bytes.size());
        file.Write(offset, bytes);
        model.Write(offset, bytes);
        break;
      }
    }
  }

  void CheckMissing(std::size_t at, std::uint64_t offset, std::uint64_t length) {
    ModelFile filled = models_[at];
    filled.Provision(offset, length);
    EXPECT_EQ(files_[at].PagesMissing(offset, length),
              filled.pages.size() - models_[at].pages.size());
  }

  // Brute force: a page is shared when any other model holds the same one.
  void CheckCounts(std::size_t at) {
    const ModelFile& model = models_[at];
    PageCounts expected;
    for (const auto& [index, page] : model.pages) {
      ++expected.pages;
      bool shared = false;
      for (std::size_t other = 0; other < kFiles; ++other) {
        const auto it = models_[other].pages.find(index);
        shared = shared || (other != at && it != models_[other].pages.end() && it->second == page);
      }
      ++(shared ? expected.shared : expected.exclusive);
    }
    const PageCounts counts = files_[at].CountPages();
    EXPECT_EQ(files_[at].size_bytes(), model.size);
    EXPECT_EQ(files_[at].page_count(), expected.pages);
    EXPECT_EQ(counts.pages, expected.pages);
    EXPECT_EQ(counts.shared, expected.shared);
    EXPECT_EQ(counts.exclusive, expected.exclusive);
  }

  void CheckSomewhere(std::size_t at) {
    const ModelFile& model = models_[at];
    const std::uint64_t offset = AnyOffset();
    std::vector<std::byte> got(AnyLength(), std::byte{0xee});
    const std::size_t count = files_[at].Read(offset, got);
    const std::uint64_t left = offset < model.size ? model.size - offset : 0;
    ASSERT_EQ(count, std::min<std::uint64_t>(left, got.size()));
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(got[i], model.ByteAt(offset + i)) << i;

    EXPECT_EQ(files_[at].NextData(offset), ModelNextData(model, offset));
    EXPECT_EQ(files_[at].NextHole(offset), ModelNextHole(model, offset));
  }

  static std::optional<std::uint64_t> ModelNextData(const ModelFile& model, std::uint64_t from) {
    if (from >= model.size) return std::nullopt;
    const auto it = model.pages.lower_bound(from / kPage);
    if (it == model.pages.end() || it->first * kPage >= model.size) return std::nullopt;
    return std::max(from, it->first * kPage);
  }

  static std::optional<std::uint64_t> ModelNextHole(const ModelFile& model, std::uint64_t from) {
    if (from >= model.size) return std::nullopt;
    std::uint64_t page = from / kPage;
    while (model.pages.contains(page)) ++page;
    return std::min(std::max(from, page * kPage), model.size);
  }

  void CheckAllBytes(std::size_t at) {
    const ModelFile& model = models_[at];
    for (const auto& [index, page] : model.pages) {
      if (index * kPage >= model.size) continue;
      std::vector<std::byte> got(kPage);
      const std::size_t count = files_[at].Read(index * kPage, got);
      ASSERT_EQ(count, std::min(kPage, model.size - index * kPage));
      ASSERT_EQ(std::memcmp(got.data(), page->data(), count), 0) << "page " << index;
    }
    for (std::size_t other = 0; other < kFiles; ++other) {
      EXPECT_EQ(files_[at].EqualContent(files_[other]), ModelEqual(model, models_[other]));
    }
  }

  static bool ModelEqual(const ModelFile& a, const ModelFile& b) {
    if (a.size != b.size) return false;
    std::map<std::uint64_t, std::shared_ptr<ModelFile::Page>> either = a.pages;
    either.insert(b.pages.begin(), b.pages.end());
    const auto page_of = [](const ModelFile& file, std::uint64_t index) {
      const auto it = file.pages.find(index);
      return it == file.pages.end() ? ModelFile::Page{} : *it->second;
    };
    return std::all_of(either.begin(), either.end(), [&](const auto& entry) {
      return page_of(a, entry.first) == page_of(b, entry.first);
    });
  }

  SplitMix64 random_{GetParam()};
  std::array<PagedBytes, kFiles> files_;
  std::array<ModelFile, kFiles> models_;
};

TEST_P(PagedBytesDifferential, AgreesWithTheModel) { Run(3000); }

INSTANTIATE_TEST_SUITE_P(Seeds, PagedBytesDifferential, ::testing::Range<std::uint64_t>(1, 11));

}  // namespace
}  // namespace lamina
