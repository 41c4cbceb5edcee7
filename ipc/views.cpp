#include "ipc/views.hpp"

#include <utility>

namespace wskeep::ipc {

std::shared_ptr<BatchMaker> Views::find(const Telling& telling,
                                        const std::optional<config::MessageRule>& rule,
                                        std::size_t most_filters, std::size_t batch_bytes,
                                        std::shared_ptr<Visibility> visible) {
  std::erase_if(views_, [](const View& view) { return view.batches.expired(); });
  std::shared_ptr<Filter> filter;
  if (rule) {
    filter = filters_.find(*rule, most_filters);
    if (!filter) return nullptr;
  }
  if (visible) {
    visible->within(std::move(filter));
    return std::make_shared<BatchMaker>(ring_, events_, batch_bytes, telling, std::move(visible));
  }
  for (const View& view : views_) {
    if (view.filter != filter.get() || view.telling != telling) continue;
    if (auto batches = view.batches.lock()) return batches;
  }
  const Filter* const address = filter.get();
  auto made = std::make_shared<BatchMaker>(ring_, events_, batch_bytes, telling, std::move(filter));
  views_.push_back({telling, address, made});
  return made;
}

void Views::limit(std::size_t batch_bytes) {
  for (const View& view : views_) {
    if (const auto batches = view.batches.lock()) batches->limit(batch_bytes);
  }
}

}  // namespace wskeep::ipc
