# Rails' ActiveRecord over mysql2: a connection is taken from the pool, and pinged, for each request.

require "active_record"

ActiveRecord::Base.establish_connection(
  adapter: "mysql2", host: ENV["TG_HOST"], port: ENV["TG_PORT"].to_i, username: ENV["TG_USER"], password: "",
  database: ENV["TG_SCHEMA"], encoding: "utf8mb4", pool: 1
)

class Post < ActiveRecord::Base
  self.table_name = "rb_post"
  has_many :comments, dependent: :destroy
  validates :title, presence: true, uniqueness: true
end

class Comment < ActiveRecord::Base
  self.table_name = "rb_comment"
  belongs_to :post, counter_cache: true
end

connection = ActiveRecord::Base.connection
unless connection.table_exists?("rb_comment")
  connection.create_table("rb_post") do |table|
    table.string :title, limit: 60, null: false
    table.integer :comments_count, null: false, default: 0
    table.timestamps
  end
  connection.create_table("rb_comment") do |table|
    table.references :post, null: false
    table.text :body
    table.timestamps
  end
end
# As eager loading in production does.
[Post, Comment].each(&:define_attribute_methods)
ActiveRecord::Base.clear_active_connections!

ENV["TG_REQUESTS"].to_i.times do |number|
  ActiveRecord::Base.connection.execute("DO 'request'")
  ActiveRecord::Base.clear_active_connections!
  ActiveRecord::Base.cache do
    post = Post.create!(title: "post #{Process.pid} #{number}")
    post.comments.create!(body: "it's")
    raise "not counted" unless Post.find(post.id).comments_count == 1

    post.with_lock do
      post.update!(title: "changed #{Process.pid} #{number}")
      Post.transaction(requires_new: true) { Post.where(id: post.id).update_all("comments_count = comments_count + 1") }
    end
    Post.includes(:comments).where("comments_count >= ?", 1).order(created_at: :desc).limit(5).to_a
    Comment.find_or_create_by!(post: post, body: "always the same")
    Post.transaction(isolation: :read_committed) { post.comments.count }
    Post.exists?(title: "none of these")
    post.reload.destroy!
  end
  ActiveRecord::Base.clear_active_connections!
end
